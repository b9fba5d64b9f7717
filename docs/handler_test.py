"""Tests a seller's own notification handler against Stallkeeper's local marketplace."""
import json, subprocess, sys, urllib.request

import boto3

STANDING = {"subscribe-success": "subscribed", "unsubscribe-pending": "ending", "unsubscribe-success": "ended"}


def handle(body, tenants):  # the handler under test
    message = json.loads(json.loads(body)["Message"])
    tenants[message["customer-identifier"]] = STANDING[message["action"]]


command = [sys.argv[1], "simulate", "--listen", "127.0.0.1:0", "--json"]
simulator = subprocess.Popen(command, stdout=subprocess.PIPE)
url = json.loads(simulator.stdout.readline())["url"]
keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
sqs = boto3.client("sqs", endpoint_url=url, region_name="us-east-1", **keys)
queue, tenants = sqs.get_queue_url(QueueName="stallkeeper")["QueueUrl"], {}


def control(path, **body):
    data = json.dumps(body).encode() if body else None
    return json.load(urllib.request.urlopen(f"{url}/control/{path}", data))


def listen_and_compare():
    for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []):
        handle(message["Body"], tenants)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    for entry in control("books")["subscriptions"]:
        assert tenants[entry["customer_id"]] == entry["standing"], entry
        print(entry["buyer"], "is", entry["standing"])


control("acts", act="subscribe", buyer="aurora", product="search"), listen_and_compare()
control("acts", act="unsubscribe", buyer="aurora", product="search"), listen_and_compare()
control("clock", advance_secs=3601), listen_and_compare()
simulator.terminate()
