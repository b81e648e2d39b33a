// contract.mjs: compares every exchange that the end-to-end tests noted with docs/openapi.json: path, method, status,
// content type, the body's schema. Usage: node contract.mjs OPENAPI EXCHANGES.ndjson…
// Prints a line for each kind of failure, then the totals.
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const [, , documentPath, ...files] = process.argv;
const api = JSON.parse(readFileSync(documentPath, "utf8"));
const ajv = new Ajv2020({ strict: false, allErrors: false });
ajv.addSchema({ $id: "api", ...api });

let checks = 0;
const faults = new Map(); // what → how often, and the first exchange
const seen = new Set(); // "GET /analytics/traffic 200 application/json"

function verdict(fault, exchange) {
  checks++;
  if (!fault) return;
  const entry = faults.get(fault) ?? { times: 0, exchange };
  entry.times++;
  faults.set(fault, entry);
}

/** Follows a $ref of the document. */
function resolve(object) {
  while (object?.$ref)
    object = object.$ref.slice(2).split("/").reduce((at, name) => at[name.replaceAll("~1", "/")], api);
  return object;
}

/** The validator of the schema at a place in the document; made once. */
const validators = new Map();
function validator(pointer) {
  if (!validators.has(pointer)) validators.set(pointer, ajv.compile({ $ref: `api#${pointer}` }));
  return validators.get(pointer);
}

const escape = (name) => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));

/** The place of a response in the document: its own, or the one that its $ref names. */
function placeOf(path, method, status) {
  const response = api.paths[path][method].responses[status];
  return response.$ref ? response.$ref.slice(1) : `/paths/${escape(path)}/${method}/responses/${status}`;
}

/** The members that a row of a report may lack. */
function optionalMembers(response) {
  const data = resolve(resolve(response.content["application/json"].schema).properties.data);
  const { properties, required } = resolve(data.items ?? data);
  return Object.keys(properties).filter((name) => !required.includes(name));
}

/** x-csv of a response is the first line of its CSV; the members that a row may lack can follow it. */
function checkHeader(exchange, response, what) {
  const names = (text) => text.slice(0, text.indexOf("\r\n")).split(",");
  const [expected, found, optional] = [names(response["x-csv"]), names(exchange.body), optionalMembers(response)];
  const isDue = (name, i) => name === expected[i] || (i >= expected.length && optional.includes(name));
  return found.length >= expected.length && found.every(isDue) ? null : `${what}: CSV begins with ${exchange.body.slice(0, 60)}`;
}

function checkBody(exchange, path, method, response, what) {
  const type = (exchange.type ?? "").split(";")[0];
  const content = response.content ?? {};
  if (exchange.method === "HEAD") return null;
  if (Object.keys(content).length === 0)
    return exchange.body ? `${what}: has a body, and should have none` : null;
  if (type === "text/csv" && response["x-csv"]) return checkHeader(exchange, response, what);
  if (!content[type]) return `${what}: content type ${type} is not documented`;
  if (type !== "application/json") return null;
  let body;
  try {
    body = JSON.parse(exchange.body);
  } catch {
    return `${what}: is not JSON`;
  }
  const validate = validator(`${placeOf(path, method, exchange.status)}/content/${escape(type)}/schema`);
  if (validate(body)) return null;
  const { instancePath, message, params } = validate.errors[0];
  return `${what}: ${instancePath.replace(/\d+/g, "N") || "the body"} ${message} ${params.additionalProperty ?? ""}`.trim();
}

/** An answer to a method that the path does not have. Its 405 stands at the methods that it has. */
function checkOther(exchange, path, method) {
  const what = `${exchange.method} ${path} ${exchange.status}`;
  if (![401, 403, 405, 413, 429, 503].includes(exchange.status))
    return verdict(`${path} does not document ${exchange.method}, which answers ${exchange.status}`, exchange);
  if (exchange.status !== 405) return verdict(null, exchange);
  const [first] = Object.keys(api.paths[path]);
  const response = resolve(api.paths[path][first].responses[405]);
  if (!response) return verdict(`${what} is not documented`, exchange);
  seen.add(`${method} ${path} 405`);
  verdict(checkBody(exchange, path, first, response, what), exchange);
}

function check(exchange) {
  const path = exchange.path.replace(/[?#].*/s, "");
  const item = api.paths[path];
  if (!item) {
    if (path.startsWith("/analytics/dashboard/")) return; // a page, not a part of the API
    verdict(exchange.status < 300 && path.startsWith("/analytics/") ? `${path} is not documented, and answers ${exchange.status}` : null, exchange);
    return;
  }
  const method = exchange.method === "HEAD" ? "get" : exchange.method.toLowerCase();
  if (!item[method]) return checkOther(exchange, path, method);
  const what = `${exchange.method} ${path} ${exchange.status}`;
  const response = resolve(item[method].responses[exchange.status]);
  if (!response) return verdict(`${what} is not documented`, exchange);
  seen.add(`${method} ${path} ${exchange.status}`);
  verdict(checkBody(exchange, path, method, response, what), exchange);
}

for (const file of files)
  for (const line of readFileSync(file, "utf8").split("\n")) if (line) check(JSON.parse(line));

// Each documented operation must have succeeded in some test, and the statuses must have been seen.
for (const [path, item] of Object.entries(api.paths))
  for (const method of Object.keys(item)) {
    const good = Object.keys(item[method].responses).find((status) => status.startsWith("2"));
    verdict(seen.has(`${method} ${path} ${good}`) ? null : `no test ever saw ${method} ${path} answer ${good}`, null);
  }
for (const name of process.env.CONTRACT_STATUSES?.split(" ") ?? ["400", "401", "403", "405", "413", "415", "422", "429", "503"])
  verdict([...seen].some((entry) => entry.endsWith(` ${name}`)) ? null : `no test ever saw a ${name}`, null);

for (const [fault, { times, exchange }] of faults)
  console.log(`FAIL ${fault} (${times} times)${exchange ? `\n    ${exchange.path}\n    ${String(exchange.body).slice(0, 300)}` : ""}`);
console.log(`Checks: ${checks}, Failures: ${faults.size}, Errors: 0`);
process.exitCode = faults.size ? 1 : 0;
