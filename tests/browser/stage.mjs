// stage.mjs: the service of the walk: ./serve with a data folder of its own, keys, logs, and the expected figures,
// added up from the logs. Knows no browser.
// Environment: SOURCE, BUILD, WORK (folder for the data), PORT.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { until } from './verdicts.mjs';

const { SOURCE, BUILD, WORK, PORT } = process.env;
export const API = `http://127.0.0.1:${PORT}/analytics`;
export const PAGE = `${API}/dashboard/`;
const DATA = `${WORK}/data`;

// ---- the service

let service = null;
export async function startService() {
    service = spawn(`${SOURCE}/serve`, ['--no-setup', '--build-dir', BUILD, '--port', PORT, '--data', DATA], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    service.stderr.on('data', (text) => (words += text));
    const healthy = await until(() => fetch(`${API}/health`).then((answer) => answer.ok, () => false), 60000);
    if (!healthy) throw new Error(`./serve does not answer: ${words}`);
}
export async function stopService() {
    if (!service) return;
    const ended = new Promise((resolve) => service.on('exit', resolve));
    service.kill('SIGTERM');
    await ended;
    service = null;
}

export const ctl = (...words) => execFileSync(`${BUILD}/analyticsctl`, ['--data', DATA, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
export function newKey(...words) {
    const text = ctl('key', 'add', ...words);
    const id = /\b(?:id|key)\s+(\d+)/i.exec(text)?.[1] ?? ctl('key', 'list').trim().split('\n').at(-1).trim().split(/\s+/)[0];
    return { key: /fnp_[0-9A-Za-z]+/.exec(text)[0], id };
}

export async function post(logs) {
    const key = readFileSync(`${DATA}/keys/worker.key`, 'utf8').trim();
    for (let i = 0; i < logs.length; i += 5000) {
        const answer = await fetch(`${API}/ingest`, {
            method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify({ logs: logs.slice(i, i + 5000) }),
        });
        if (answer.status !== 204) throw new Error(`ingest: ${answer.status} ${await answer.text()}`);
    }
}

export const keyOf = (name) => readFileSync(`${DATA}/keys/${name}.key`, 'utf8').trim();

// ---- what the figures must be. Bounds are as a request has them: wall times of UTC, without a zone.

export const instant = (bound) => Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(bound) ? bound : `${bound}Z`);
export function recount(logs, { from, to }, filter = () => true) {
    const sums = { count: 0, errors: 0, sent: 0, received: 0, peak: 0, duration: 0, domains: new Set() };
    for (const log of logs) {
        const ts = Date.parse(`${log.ts.replace(' ', 'T')}Z`);
        if (ts < instant(from) || ts >= instant(to) || !filter(log)) continue;
        sums.count += log.count;
        sums.errors += log.error_count;
        sums.sent += log.bytes_sent;
        sums.received += log.bytes_received;
        sums.duration += log.duration_ms ?? 0;
        sums.peak = Math.max(sums.peak, log.max_concurrency);
        sums.domains.add(log.domain);
    }
    return sums;
}
