// logs.mjs: believable traffic for the test of the dashboard: the same for the same end, with a day's rise and fall, a few
// errors, and a hostile domain name. Knows the shape of a log. Knows no browser.

export const HOSTILE = '<img src=x onerror=document.title=1>.example';
export const DISGUISED = '\u202emoc.hcraes'; // looks like search.com, read from right to left
const DOMAINS = [
    'video.streambox.example', 'cdn.shopfront.example', 'api.pricewatch.example', 'images.marketplace.example', 'search.example',
    'www.travelfares.example', 'static.newsroom.example', 'maps.example', 'm.social.example', 'tickets.example', 'www.sneakers.example',
    'data.weather.example', 'jobs.example', 'auth.social.example', 'books.library.example', 'feeds.finance.example', 'mail.example',
    'reviews.restaurants.example', 'photos.example', 'files.mirror.example', HOSTILE, DISGUISED, '',
];
const SHOPS = Array.from({ length: 40 }, (_, i) => `shop-${String(i + 1).padStart(2, '0')}.example`); // with so few logs that they come last
const ERRORS = ['connection timeout', 'connection refused', 'TLS handshake failed', 'DNS lookup failed', 'HTTP 403'];
const PROTOCOLS = ['HTTPS', 'HTTPS', 'HTTPS', 'HTTP', 'SOCKS5'];
export const SILENT_WORKER = 'worker-04'; // which does not say how long requests took
const HOUR = 3600000;

function random(seed) { // mulberry32
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

// On this day Kyiv's clocks showed 03:00 to 04:00 twice. A log each quarter of an hour, from the day before to the day
// after.
export const TWICE = '2025-10-26';
export function makeClockLogs() {
    const begin = Date.parse(`${TWICE}T00:00Z`) - 24 * HOUR;
    return Array.from({ length: 288 }, (_, i) => ({ ts: stamp(begin + i * HOUR / 4), user_id: 9, order_id: 99, domain: 'clock.example', count: 1 }));
}

const stamp = (ms) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

function oneLog(next, at) {
    const order = 1 + Math.floor(next() ** 2 * 12);
    const domain = next() < 0.85 ? DOMAINS[Math.floor(next() ** 2.2 * DOMAINS.length)] : SHOPS[Math.floor(next() * SHOPS.length)];
    const hour = (at / HOUR) % 24;
    const count = 1 + Math.floor(next() * 60 * (1.2 + Math.sin(((hour - 8) / 24) * 2 * Math.PI)));
    const fails = next() < 0.12;
    const log = {
        ts: stamp(at), user_id: 1 + (order % 5), order_id: order, port: 443, protocol: PROTOCOLS[Math.floor(next() * PROTOCOLS.length)],
        ip_out: `198.51.100.${1 + Math.floor(next() * 20)}`, ip_from: '203.0.113.7', peer_id: `peer-${100 + Math.floor(next() ** 2 * 30)}`,
        worker: `worker-0${1 + Math.floor(next() * 4)}`, domain, error: fails ? ERRORS[Math.floor(next() ** 2 * ERRORS.length)] : '', count,
        bytes_sent: Math.floor(count * (20000 + next() * 160000)), bytes_received: Math.floor(count * (20000 + next() * 900000)),
        error_count: fails ? 1 + Math.floor(count * next() * 0.6) : 0, max_concurrency: 1 + Math.floor(count * next() * 0.8),
    };
    return { ...log, duration_ms: log.worker === SILENT_WORKER ? 0 : count * (120 + 90 * ((DOMAINS.indexOf(domain) + 1) % 9)) + Math.floor(hour * 100) };
}

// Logs of the `days` before `end` (ms), `perHour` of them each hour, none later than `end`.
export function makeLogs(end, days, perHour) {
    const next = random(7);
    const logs = [];
    for (let hour = days * 24; hour > 0; hour--) {
        for (let i = 0; i < perHour; i++) logs.push(oneLog(next, end - hour * HOUR + Math.floor(next() * HOUR)));
    }
    return logs;
}
