// Shows the next stage as soon as there is one. Without it, the page loads itself anew.
(function () {
  "use strict";
  var main = document.getElementById("content");
  var looks = 0;
  function again() {
    if (main.getAttribute("data-waits") !== "true" || looks >= 5000) return;
    looks += 1;
    setTimeout(look, looks < 60 ? 1500 : 5000);
  }
  function show(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    var next = page.getElementById("content");
    if (next && next.getAttribute("data-stage") !== main.getAttribute("data-stage")) {
      main.replaceWith(next);
      main = next;
      document.title = page.title;
    }
  }
  function look() {
    fetch(location.href, { credentials: "same-origin", cache: "no-store" })
      .then(function (answer) {
        return answer.ok ? answer.text() : Promise.reject(new Error(String(answer.status)));
      })
      .then(show)
      .then(again, again);
  }
  again();
})();
