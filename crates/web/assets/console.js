// Lets the time that is left run on, from what the server said. The pages do without.
(function () {
  "use strict";
  var began = performance.now();
  var marks = Array.prototype.map.call(document.querySelectorAll("[data-left]"), function (mark) {
    return { mark: mark, left: Number(mark.getAttribute("data-left")) };
  });
  function two(number) {
    return (number < 10 ? "0" : "") + number;
  }
  function clock(seconds) {
    if (seconds <= 0) return "over";
    if (seconds < 3600) return two(Math.floor(seconds / 60)) + ":" + two(seconds % 60);
    if (seconds < 172800) return Math.floor(seconds / 3600) + " h " + two(Math.floor(seconds / 60) % 60) + " min";
    return Math.floor(seconds / 86400) + " days";
  }
  function tone(seconds) {
    return seconds < 900 ? "bad" : seconds < 1800 ? "warn" : "quiet";
  }
  function tick() {
    var gone = Math.floor((performance.now() - began) / 1000);
    marks.forEach(function (one) {
      var left = Math.max(0, one.left - gone);
      one.mark.textContent = clock(left);
      one.mark.className = "left " + tone(left);
    });
  }
  if (marks.length > 0) setInterval(tick, 1000);
})();
