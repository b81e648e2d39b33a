// view.js: what is looked at (range, zone, filters, order), to and from the page's URL. A view that is shared by its URL
// shows the same to who has a key for it: no key is ever in it. Knows no DOM and no clock.

import { FIELDS, fieldFault, tidy } from './filters.js';
import { COMPARISONS, RANGES, boundParameters, rangeFault } from './ranges.js';
import { DAY, boundText, isZone, ownZone, toInstant, wholeDays } from './zone.js';

export const SORTS = { bytes: 'Traffic', count: 'Requests', errors: 'Errors', error_rate: 'Error rate', duration: 'Duration' };
const DEFAULTS = { range: '24h', from: null, to: null, compare: 'previous', sort: 'bytes', by: 'order', page: 1, search: '' };
const CHOICES = { range: RANGES, compare: COMPARISONS, sort: SORTS, by: FIELDS };

// "2026-03-15" (a day: its begin, or its end), "2026-03-15T10:15" there, or with an offset. An instant, or null.
function parseBound(text, zone, isEnd) {
    const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
    const wall = match ? Date.parse(`${match[1]}T${match[2] ?? '00:00'}Z`) : NaN;
    if (Number.isNaN(wall) || wall < 0 || new Date(wall).toISOString().slice(0, 10) !== match[1]) return null;
    if (match[3]) {
        const instant = Date.parse(text);
        return instant >= 0 ? instant : null; // the service has no time before 1970; NaN for an offset that there is not
    }
    return toInstant(wall + (isEnd && !match[2] ? DAY : 0), zone);
}

// The zone of the link, else the browser's own.
function readZone(query, faults) {
    const zone = query.get('zone');
    if (zone && isZone(zone)) return zone;
    const own = ownZone() ?? 'UTC';
    if (ownZone() === null) faults.push('The browser’s time zone is not known. Times are shown in UTC.');
    else if (zone) faults.push(`The link’s time zone, ${zone}, is not known. Times are shown in ${own}.`);
    return own;
}

function readRange(query, view, faults) {
    if (view.range !== 'custom') return;
    view.from = parseBound(query.get('from') ?? '', view.zone, false);
    view.to = parseBound(query.get('to') ?? '', view.zone, true);
    const isUnread = view.from === null || view.to === null;
    const fault = isUnread ? 'Its dates do not exist.' : rangeFault(view.from, view.to, view.zone);
    if (fault === '') return;
    faults.push(`The link’s range can’t be shown. ${fault} The last 24 hours are shown.`);
    Object.assign(view, { range: '24h', from: null, to: null });
}

function readFilters(query, view, faults) {
    for (const [key, { parameter }] of Object.entries(FIELDS)) {
        for (const [where, name] of [['is', key], ['not', `not_${key}`]]) {
            const text = query.get(name);
            if (text === null) continue;
            const value = key === 'domain' ? tidy(key, text) : text;
            const fault = fieldFault(key, value);
            if (fault === '') view[where][key] = value;
            else if (parameter) faults.push(`The link’s filter ${name} was left out. ${fault}`);
        }
    }
}

// The view, and what of the link it can't show, in words.
export function parseView(search) {
    const query = new URLSearchParams(search);
    const faults = [];
    const view = { ...DEFAULTS, is: {}, not: {}, zone: readZone(query, faults) };
    for (const [name, choices] of Object.entries(CHOICES)) {
        const chosen = query.get(name) ?? (name === 'sort' ? query.get('bysort') : null); // as links of 0.2.0 have it, of breakdowns
        if (chosen === null) continue;
        if (Object.hasOwn(choices, chosen)) view[name] = chosen;
        else if (name === 'range') faults.push('The link’s range is not known. The last 24 hours are shown.');
    }
    readRange(query, view, faults);
    readFilters(query, view, faults);
    view.page = /^[1-9]\d{0,8}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1;
    view.search = (query.get('search') ?? '').slice(0, 253);
    view.embed = query.get('embed') === '1';
    view.panel = query.get('panel') ?? '';
    return { view, faults };
}

// "?range=24h&zone=UTC": the range and the zone always, the rest where it is not the default.
export function viewSearch(view) {
    const query = new URLSearchParams({ range: view.range });
    if (view.range === 'custom') {
        const [from, to] = wholeDays(view.from, view.to, view.zone) ?? [view.from, view.to].map((bound) => boundText(bound, view.zone));
        query.set('from', from);
        query.set('to', to);
    }
    query.set('zone', view.zone);
    for (const key of Object.keys(FIELDS)) {
        if (Object.hasOwn(view.is, key)) query.set(key, view.is[key]);
        if (Object.hasOwn(view.not, key)) query.set(`not_${key}`, view.not[key]);
    }
    for (const name of ['compare', 'sort', 'by', 'page', 'search']) {
        if (view[name] !== DEFAULTS[name]) query.set(name, view[name]);
    }
    if (view.embed) query.set('embed', '1');
    if (view.panel) query.set('panel', view.panel);
    return `?${query}`;
}

// ---- filters

export const isFiltered = (view) => Object.keys(view.is).length + Object.keys(view.not).length > 0;

// [{key, value, isNot}], in the order of the fields.
export const filtersOf = (view) => Object.keys(FIELDS).flatMap((key) => [[view.is, false], [view.not, true]]
    .filter(([from]) => Object.hasOwn(from, key)).map(([from, isNot]) => ({ key, value: from[key], isNot })));

// What is to change in the view for one filter more: a field is either asked for or excluded.
export function withFilter(view, key, value, isNot = false) {
    const changes = withoutFilter(view, key);
    changes[isNot ? 'not' : 'is'][key] = value;
    return changes;
}

export function withoutFilter(view, key) {
    const changes = { is: { ...view.is }, not: { ...view.not } };
    delete changes.is[key];
    delete changes.not[key];
    return changes;
}

// ---- what the API is asked

export function parametersOf(view, from, to) {
    const parameters = boundParameters(view, from, to);
    for (const { key, value, isNot } of filtersOf(view)) {
        parameters[isNot ? `not_${FIELDS[key].parameter}` : FIELDS[key].parameter] = value;
    }
    return parameters;
}

// What a key is bound to, which the API says as a query string, as a view has it.
export function boundOf(text) {
    const bound = { is: {}, not: {} };
    const query = new URLSearchParams(text);
    for (const [key, { parameter }] of Object.entries(FIELDS)) {
        if (query.has(parameter)) bound.is[key] = query.get(parameter);
        if (query.has(`not_${parameter}`)) bound.not[key] = query.get(`not_${parameter}`);
    }
    return bound;
}

// Does another place or time show, so that a list begins at its first page?
const PLACE = ['range', 'from', 'to', 'zone', 'sort', 'search'];
const filterText = (view) => JSON.stringify(filtersOf(view));
export const hasMoved = (next, view) => PLACE.some((name) => next[name] !== view[name]) || filterText(next) !== filterText(view);
