// client.ts: a client with types made from docs/openapi.json. It is compiled, not run: a member that is not documented
// is an error. It asks each read once, and uses a figure of the answer under its documented type.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

const client = createClient<paths>({ baseUrl: "http://localhost:8080", headers: { "x-api-key": "fnp_0" } });
const range = { from: "2026-03-01", to: "2026-03-31" };

// The members that a log must have, and no other.
const log: components["schemas"]["Log"] = { ts: "2026-03-15 10:15:00", user_id: 1, order_id: 3, domain: "google.com", count: 12 };

export async function post(): Promise<number> {
  const { response, error } = await client.POST("/analytics/ingest", {
    params: { header: { "Idempotency-Key": "batch-1" } },
    body: { logs: [log] },
  });
  if (error) throw new Error(error.message);
  return response.status;
}

export async function charts(): Promise<string[]> {
  const query = { ...range, granularity: "day", fill: "zero", timezone: "Europe/Kyiv" } as const;
  const traffic = await client.GET("/analytics/traffic", { params: { query } });
  const requests = await client.GET("/analytics/requests", { params: { query } });
  const concurrency = await client.GET("/analytics/concurrency", { params: { query } });
  return [
    ...(traffic.data?.data.map((point) => point.total_bytes_sent) ?? []),
    ...(requests.data?.data.map((point) => point.total_errors) ?? []),
    ...(concurrency.data?.data.map((point) => point.max_concurrency) ?? []),
  ];
}

/** A row has durations where they are asked for, and null where they are unknown. */
export async function slowest(): Promise<(string | null | undefined)[]> {
  const query = { ...range, sortBy: "duration", durations: true } as const;
  const domains = await client.GET("/analytics/domains", { params: { query } });
  const seen = await client.GET("/analytics/breakdown", { params: { query: { ...range, by: "domain", sortBy: "duration" } } });
  const duration: string | null | undefined = seen.data?.data[0]?.avg_duration_ms;
  return [domains.data?.data[0]?.avg_duration_ms, duration, seen.data?.data[0]?.first_seen, seen.data?.other.total_duration_ms];
}

export async function lists(): Promise<string[]> {
  const domains = await client.GET("/analytics/domains", { params: { query: { ...range, sortBy: "count", limit: 100 } } });
  const page = await client.GET("/analytics/domains", { params: { query: { ...range, page: 2, limit: 1000 } } });
  const websites = await client.GET("/analytics/websites", { params: { query: { ...range, page: 1 } } });
  const errors = await client.GET("/analytics/errors", { params: { query: { ...range, orderId: 3 } } });
  const orders = await client.GET("/analytics/breakdown", { params: { query: { ...range, by: "order", page: 1 } } });
  const pages: number | undefined = page.data?.totalPages;
  const all: number = orders.data?.totalPages ?? pages ?? 0;
  return [
    ...(domains.data?.data.map((row) => row.domain) ?? []),
    ...(websites.data?.data.map((row) => row.first_visit) ?? []),
    ...(errors.data?.data.flatMap((row) => row.sample_domains) ?? []),
    ...(orders.data?.data.map((row) => row.value) ?? []),
    orders.data?.other.total_count ?? String(all),
  ];
}

export async function others(): Promise<(string | number | null | undefined)[]> {
  const summary = await client.GET("/analytics/summary", { params: { query: { ...range, userId: 1, error: "timeout" } } });
  const whoami = await client.GET("/analytics/whoami");
  const health = await client.GET("/analytics/health");
  const metrics = await client.GET("/analytics/metrics", { parseAs: "text" });
  return [summary.data?.data.first_seen, whoami.data?.role, whoami.data?.key?.expires, health.data?.schema_version, metrics.data];
}

// A fault has words.
export async function fault(): Promise<string | undefined> {
  const { error } = await client.GET("/analytics/summary", { params: { query: { from: "2026-03-31", to: "2026-03-01" } } });
  return error ? `${error.message}: ${error.detail ?? ""}` : undefined;
}

// Each of these must not compile.
// @ts-expect-error: a log without its domain
export const incomplete: components["schemas"]["Log"] = { ts: "2026-03-15", user_id: 1, order_id: 3, count: 12 };
// @ts-expect-error: there is no such dimension
export const nothing = client.GET("/analytics/breakdown", { params: { query: { ...range, by: "colour" } } });
// @ts-expect-error: a range has two ends
export const endless = client.GET("/analytics/traffic", { params: { query: { from: "2026-03-01" } } });
