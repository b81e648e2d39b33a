// view.js: what is looked at (range, zone, filters, order), to and from the page's URL, and the instants that it means.
// A view that is shared by its URL shows the same to who has a key for it: no key is ever in it. Knows no DOM.

import {
    DAY, HOUR, MINUTE, addMonths, boundText, isZone, ownZone, startOfDay, startOfMonth, toInstant, toWall, wallText,
} from './zone.js';

export const RANGES = {
    today: 'Today', '24h': '24 hours', '7d': '7 days', '30d': '30 days', month: 'This month', custom: 'Custom',
};
export const DIMENSIONS = {
    order: 'Order', user: 'User', worker: 'Worker', peer: 'Peer', protocol: 'Protocol', port: 'Port', ip_out: 'Outgoing address',
};
// No filter: a domain may be "" (traffic without a host name), so it is null for any.
const DEFAULTS = {
    range: '24h', from: null, to: null, domain: null, order: '', user: '', error: '', sort: 'bytes', by: 'order',
    bysort: 'bytes', page: 1,
};

const ID = /^[1-9][0-9]{0,15}$/;
const isId = (text) => ID.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER;
export const idFault = (text) => (text === '' || isId(text) ? '' : 'A whole number, 1 or more.');

// "2026-03-15" (a day: its begin, or its end), "2026-03-15T10:15" there, or with an offset. An instant, or null.
function parseBound(text, zone, isEnd) {
    const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
    const wall = match ? Date.parse(`${match[1]}T${match[2] ?? '00:00'}Z`) : NaN;
    if (Number.isNaN(wall) || wall < 0) return null;
    if (match[3]) {
        const instant = Date.parse(text);
        return instant >= 0 ? instant : null; // the service has no time before 1970; NaN for an offset that there is not
    }
    return toInstant(wall + (isEnd && !match[2] ? DAY : 0), zone);
}

export function parseView(search) {
    const query = new URLSearchParams(search);
    const oneOf = (name, values) => (values.includes(query.get(name)) ? query.get(name) : DEFAULTS[name]);
    const view = { ...DEFAULTS, zone: query.get('zone') };
    if (!view.zone || !isZone(view.zone)) view.zone = ownZone();
    view.range = oneOf('range', Object.keys(RANGES));
    if (view.range === 'custom') {
        view.from = parseBound(query.get('from') ?? '', view.zone, false);
        view.to = parseBound(query.get('to') ?? '', view.zone, true);
        if (rangeFault(view.from, view.to, view.zone)) Object.assign(view, { range: '24h', from: null, to: null });
    }
    view.domain = query.get('domain');
    view.error = query.get('error') ?? '';
    for (const name of ['order', 'user']) view[name] = isId(query.get(name) ?? '') ? query.get(name) : '';
    view.sort = oneOf('sort', ['bytes', 'count']);
    view.bysort = oneOf('bysort', ['bytes', 'count']);
    view.by = oneOf('by', Object.keys(DIMENSIONS));
    view.page = /^[1-9]\d{0,8}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1;
    return view;
}

// "?range=24h&zone=UTC": the range and the zone always, the rest where it is not the default.
export function viewSearch(view) {
    const query = new URLSearchParams({ range: view.range });
    if (view.range === 'custom') {
        const [from, to] = [toWall(view.from, view.zone), toWall(view.to, view.zone)];
        const days = from % DAY === 0 && to % DAY === 0 && toInstant(from, view.zone) === view.from;
        query.set('from', days ? wallText(from).slice(0, 10) : boundText(view.from, view.zone));
        query.set('to', days ? wallText(to - DAY).slice(0, 10) : boundText(view.to, view.zone));
    }
    query.set('zone', view.zone);
    for (const name of ['domain', 'order', 'user', 'error', 'sort', 'by', 'bysort', 'page']) {
        if (view[name] !== DEFAULTS[name]) query.set(name, view[name]);
    }
    return `?${query}`;
}

// Why a range can't be asked for, or "".
export function rangeFault(from, to, zone) {
    if (from === null || to === null) return 'Enter both dates.';
    if (from >= to) return 'The end must be after the begin.';
    if (toWall(to, zone) > addMonths(toWall(from, zone), 2)) return 'At most two months can be asked for at once.';
    return '';
}

// ---- the instants of a view. Up to the end of the running quarter-hour, hour or day, so that the newest logs are in it
// and the same question is asked for a while (and answered from the browser's cache).

const next = (wall, step) => Math.floor(wall / step + 1) * step;

function ownBounds(view, now) {
    if (view.range === 'custom') return [view.from, view.to];
    const wall = toWall(now, view.zone);
    const tomorrow = startOfDay(wall) + DAY;
    const ahead = (step) => Math.floor(now / 1000) * 1000 + next(wall, step) - wall;
    const quarter = ahead(15 * MINUTE);
    switch (view.range) {
    case 'today': return [toInstant(startOfDay(wall), view.zone), quarter];
    case '7d': return [ahead(HOUR) - 7 * DAY, ahead(HOUR)];
    case '30d': return [toInstant(tomorrow - 30 * DAY, view.zone), toInstant(tomorrow, view.zone)];
    case 'month': return [toInstant(startOfMonth(wall), view.zone), toInstant(tomorrow, view.zone)];
    default: return [quarter - DAY, quarter];
    }
}

// What it is compared with: the same part of the day or month before, else as long a time just before it. A range that
// is not over yet is compared with as much of the one before as has passed.
function boundsBefore(view, from, to, now) {
    const end = Math.min(to, Math.max(now, from + 1000));
    const shift = (instant, move) => toInstant(move(toWall(instant, view.zone)), view.zone);
    const aDay = (wall) => wall - DAY;
    const aMonth = (wall) => addMonths(wall, -1);
    if (view.range === 'today') return [shift(from, aDay), shift(end, aDay)];
    if (view.range === 'month') return [shift(from, aMonth), Math.min(shift(end, aMonth), from)];
    const length = to - from;
    let earliest = addMonths(toWall(from, view.zone), -2); // no longer than may be asked for
    while (addMonths(earliest, 2) < toWall(from, view.zone)) earliest += DAY;
    earliest = toInstant(earliest, view.zone);
    return [Math.max(from - length, earliest), Math.max(end - length, earliest + 1000)];
}

export function bounds(view, now) {
    const [from, to] = ownBounds(view, now);
    const [fromBefore, toBefore] = boundsBefore(view, from, to, now);
    return { from, to, before: { from: fromBefore, to: toBefore }, isLive: to > now };
}

// ---- what the API is asked

export function parametersOf(view, from, to) {
    const parameters = { from: boundText(from, view.zone), to: boundText(to, view.zone), timezone: view.zone };
    if (view.domain !== null) parameters.domain = view.domain;
    if (view.error !== '') parameters.error = view.error;
    if (view.order !== '') parameters.orderId = view.order;
    if (view.user !== '') parameters.userId = view.user;
    return parameters;
}
