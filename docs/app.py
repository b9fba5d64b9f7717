"""An app that sells through Stallkeeper: it lets buyers in, asks who may work, reports use and settles who leaves."""
import json, os, sys, uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen

from standardwebhooks import Webhook

API, TOKEN, SECRET = (os.environ[name] for name in ("STALLKEEPER_URL", "STALLKEEPER_TOKEN", "STALLKEEPER_SECRET"))


def call(method, path, body=None):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = body and json.dumps(body).encode()
    return json.load(urlopen(Request(API + path, data, headers, method=method)))


def let_in():  # whoever said who he is becomes a tenant, under an id that he cannot choose
    for buyer in call("GET", "/v1/registrations?state=pending")["registrations"]:
        call("PUT", f"/v1/registrations/{buyer['id']}/tenant", {"tenant": buyer["id"]})


def work(tenant):  # one request to the product `search`, for those who may
    may = call("GET", f"/v1/entitlements?tenant={tenant}&product=search")["access"] == "full"
    event = {"id": str(uuid.uuid4()), "tenant": tenant, "product": "search", "dimension": "requests", "quantity": 1}
    if not may:
        return 403
    result = call("POST", "/v1/usage", [event | {"occurred_at": now()}])["results"][0]
    return 200 if result["status"] == "counted" else 503  # one event is refused alone, in an answer that is 200


def told(event):  # a buyer leaves: what he used is all reported, so his final hour can go out
    if event["type"] == "subscription.ending":
        tenant, at = event["data"]["tenant"], event["timestamp"]  # by Stallkeeper's clock, not by this one
        complete = {"product": "search", "tenant": tenant, "source": "app", "complete_through": at}
        call("PUT", "/v1/watermarks", complete)


def now():
    return datetime.now(timezone.utc).isoformat()


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        let_in()
        self.answer(work(self.path[1:]))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told(Webhook(SECRET).verify(body, dict(self.headers)))
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
