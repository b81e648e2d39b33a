// flaky.mjs: a front before the service that spoils the first requests of each batch, then lets it through.
// Usage: node flaky.mjs PORT-OF-THE-SERVICE PLAN; prints the port it listens on.
// PLAN: a word for each request with the same Idempotency-Key: reset (breaks off before the service has it), lost (the
// service stores it, its answer is lost), busy (503 with Retry-After), limit (429), moved (a redirect to the same
// place). Later requests are passed on.
import http from "node:http";

const [, , servicePort, plan] = process.argv;
const words = plan.split(",");
const tries = new Map();

function forward(request, body, then) {
  const { method, url, headers } = request;
  const upstream = http.request({ host: "127.0.0.1", port: servicePort, method, path: url, headers }, (answer) => {
    const pieces = [];
    answer.on("data", (piece) => pieces.push(piece));
    answer.on("end", () => then(answer, Buffer.concat(pieces)));
  });
  upstream.end(body);
}

function refuse(response, status, message) {
  response.writeHead(status, { "content-type": "application/json", "retry-after": "1" });
  response.end(JSON.stringify({ message, path: "/analytics/ingest", timestamp: new Date().toISOString() }));
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const key = request.headers["idempotency-key"];
    const attempt = tries.get(key) ?? 0;
    tries.set(key, attempt + 1);
    const body = Buffer.concat(pieces);
    switch (words[attempt]) {
      case "reset":
        return request.socket.resetAndDestroy();
      case "busy":
        return refuse(response, 503, "analytics.unavailable");
      case "limit":
        return refuse(response, 429, "analytics.too_many_requests");
      case "moved":
        response.setHeader("location", request.url);
        return refuse(response, 308, "moved");
      case "lost":
        return forward(request, body, () => request.socket.resetAndDestroy());
      default:
        return forward(request, body, (answer, text) => {
          response.writeHead(answer.statusCode, answer.headers);
          response.end(text);
        });
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
