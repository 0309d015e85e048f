/*
 * What friends post, live, by JSONP: a <script> of feedd's address, which brings the cookie of this site along.
 *
 * One poll is always under way. feedd holds it until something is told, 50 seconds at most, and the next one goes on from its cursor.
 */

(function () {
  "use strict";

  var list = document.getElementById("feed");
  var url = list.dataset.url;
  var calls = 0;
  var failures = 0;
  var cursor;

  function ask(path, query, done) {
    var name = "feedd" + ++calls;
    var script = document.createElement("script");
    var timer = setTimeout(end, 90000, null);

    function end(answer) {
      clearTimeout(timer);
      script.remove();
      window[name] = function () {}; // an answer that comes after all is nobody's
      done(answer && !answer.error ? answer : null);
    }

    window[name] = end;
    script.onerror = function () { end(null); };
    script.src = url + path + "?callback=" + name + query;
    document.head.append(script);
  }

  function show(author, body) {
    var item = document.createElement("li");
    item.textContent = author + ": " + body.text; // text, never HTML
    list.prepend(item);
  }

  function later(call) {
    failures += 1;
    setTimeout(call, Math.min(30000, 500 * Math.pow(2, failures)) * (0.5 + Math.random() / 2));
  }

  function load() {
    ask("/feed/init", "", function (page) {
      if (!page) return later(load);
      list.replaceChildren();
      page.posts.reverse().forEach(function (post) { show(post.author, post.body); });
      cursor = page.cursor;
      poll();
    });
  }

  function poll() {
    ask("/feed/poll", "&cursor=" + encodeURIComponent(cursor), function (answer) {
      if (!answer) return later(poll);
      failures = 0;
      if (answer.gap) return load();
      answer.events.forEach(function (event) {
        if (event.kind === "post") show(event.author, event.body);
      });
      cursor = answer.cursor;
      poll();
    });
  }

  // Not before the page is there: a script that is asked for earlier keeps it from being complete, and polls never end.
  window.addEventListener("load", function () { setTimeout(load, 0); });
})();
