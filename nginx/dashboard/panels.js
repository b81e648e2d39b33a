// panels.js: each panel of the page: what it asks the API, and how it shows the answers. Knows figures and elements. Knows
// no loading, no keys, no URL: it is given a view, and calls `go` with what is to change in it.

import { BucketChart } from './charts.js';
import { el, find } from './dom.js';
import * as format from './format.js';
import { filterButton, sorted, table } from './tables.js';
import { DIMENSIONS, parametersOf } from './view.js';
import { clock, dayName, parseWall, spanName, toWall } from './zone.js';

const MOST_ROWS = 100; // what the API gives at once
const NOBODY = '(none)';

// ---- pieces

const figure = (text, exact) => el('span', { text, title: exact });
const bytesOf = (key, name) => ({
    key, name, figure: true, value: (row) => BigInt(row[key]), cell: (row) => figure(format.bytes(row[key]), format.exactBytes(row[key])),
});
const countOf = (key, name) => ({
    key, name, figure: true, value: (row) => BigInt(row[key]), cell: (row) => figure(format.count(row[key]), format.exact(row[key])),
});
const timeOf = (key, name) => ({
    key, name, value: (row) => row[key], cell: (row) => {
        const wall = parseWall(row[key]);
        return el('span', { class: 'time', text: `${dayName(wall)} ${clock(wall)}`, title: row[key] });
    },
});
const shareOf = (rows, key) => {
    const most = rows.reduce((best, row) => Math.max(best, Number(row[key])), 0);
    return (row) => (most > 0 ? Number(row[key]) / most : 0);
};

function segments(name, choices, chosen, onPick) {
    return el('div', { class: 'segments small', role: 'group', 'aria-label': name },
        ...Object.entries(choices).map(([key, text]) => el('button', {
            type: 'button', text, 'aria-pressed': String(key === chosen), onclick: () => onPick(key),
        })));
}

// A panel's frame: heading, controls, CSV button, body.
class Panel {
    constructor(name, title, go) {
        Object.assign(this, { name, title, go });
        this.node = document.querySelector(`[data-panel="${name}"]`);
        this.controls = el('div', { class: 'segment-box' });
        this.csv = el('button', { type: 'button', text: 'CSV', 'aria-label': `${title} as CSV`, title: 'Download as CSV' });
        this.body = el('div', { class: 'panel-body' });
        const heading = el('h2', { text: title, id: `${name}-title` });
        this.node.setAttribute('aria-labelledby', heading.id);
        this.node.append(el('div', { class: 'panel-head' }, heading, this.controls, this.csv), this.body);
    }
    say(text, isFault = false) {
        this.body.replaceChildren(el('p', { class: isFault ? 'nothing fault' : 'nothing', text }));
    }
    refuse(failure) {
        this.say(failure.message, true);
    }
    csvParameters(view, bounds) {
        return this.asks(view, bounds)[0];
    }
}

// ---- totals

const TOTALS = [
    { key: 'bytes_total', name: 'Traffic', text: format.bytes, exact: format.exactBytes },
    { key: 'total_bytes_sent', name: 'Sent', text: format.bytes, exact: format.exactBytes },
    { key: 'total_bytes_received', name: 'Received', text: format.bytes, exact: format.exactBytes },
    { key: 'total_count', name: 'Requests', text: format.count, exact: format.exact },
    { key: 'total_errors', name: 'Errors', text: format.count, exact: format.exact, moreIsWorse: true },
    { key: 'max_concurrency', name: 'Peak concurrency', text: format.count, exact: format.exact },
];

const isNothing = (data) => ['total_count', 'total_errors', 'bytes_total'].every((key) => data[key] === '0');

class Totals {
    constructor() {
        this.name = 'totals';
        this.node = document.querySelector('[data-panel="totals"]');
        for (const { key, name } of TOTALS) this.node.append(this.#card(key, name, el('span', { text: '…' }), ''));
    }
    asks(view, { from, to, before }) {
        return [['summary', parametersOf(view, from, to)], ['summary', parametersOf(view, before.from, before.to)]];
    }
    #card(key, name, value, note) {
        return el('div', { class: 'total' }, el('div', { class: 'name' }, el('span', { class: `dot ${key}`, 'aria-hidden': 'true' }), name),
            el('div', { class: 'value' }, value), el('div', { class: 'note' }, note));
    }
    #note(total, now, before) {
        const note = el('span', {});
        const change = before ? format.change(now[total.key], before[total.key]) : null;
        if (change) {
            const judged = total.moreIsWorse && change.direction !== 'same' ? (change.direction === 'up' ? 'worse' : 'better') : null;
            note.append(el('span', { class: judged, text: change.text, title: `before: ${total.exact(before[total.key])}` }));
        }
        const rate = total.key === 'total_errors' ? format.percent(now.total_errors, now.total_count) : '';
        if (rate) note.append(change ? ' · ' : '', `${rate} of requests`);
        return note;
    }
    show([{ data }, answer], view, bounds) {
        const span = spanName(toWall(bounds.before.from, view.zone), toWall(bounds.before.to, view.zone));
        const before = answer && !isNothing(answer.data) ? answer.data : null;
        this.node.replaceChildren(...TOTALS.map((total) => this.#card(total.key, total.name,
            figure(total.text(data[total.key]), total.exact(data[total.key])), this.#note(total, data, before))));
        find('compared').textContent = before ? `Compared with ${span}` : answer ? `Nothing to compare with in ${span}` : '';
        this.isEmpty = isNothing(data);
    }
    refuse(failure) {
        this.node.replaceChildren(el('p', { class: 'nothing fault', text: failure.message }));
        find('compared').textContent = '';
        find('empty').hidden = true;
    }
}

// ---- charts

const CHARTS = {
    traffic: {
        title: 'Traffic', type: 'bar', stacked: true, format: format.bytes, axis: format.axisBytes, exact: format.exactBytes,
        series: [{ key: 'total_bytes_received', name: 'Received', colour: '--received' }, { key: 'total_bytes_sent', name: 'Sent', colour: '--sent' }],
    },
    requests: {
        title: 'Requests and errors', type: 'bar', stacked: false, format: format.count, axis: format.axisCount, exact: format.exact,
        series: [{ key: 'total_count', name: 'Requests', colour: '--requests', order: 1 }, { key: 'total_errors', name: 'Errors', colour: '--errors' }],
    },
    concurrency: {
        title: 'Peak concurrency', type: 'line', stacked: false, format: format.count, axis: format.axisCount, exact: format.exact,
        series: [{ key: 'max_concurrency', name: 'Peak', colour: '--peak' }],
    },
};

class ChartPanel extends Panel {
    constructor(name, go, zoom) {
        super(name, CHARTS[name].title, go);
        this.chart = new BucketChart(this.body, { ...CHARTS[name], onZoom: zoom });
        this.body.classList.add('chart-body');
        this.fault = el('p', { class: 'nothing fault', hidden: true });
        this.node.append(this.fault);
    }
    asks(view, { from, to }) {
        return [[this.name, { ...parametersOf(view, from, to), fill: 'zero' }]];
    }
    show([{ data }], view, { from }) {
        this.body.hidden = false;
        this.fault.hidden = true;
        this.chart.show(data, from, view.zone);
    }
    refuse(failure) {
        this.body.hidden = true;
        this.fault.hidden = false;
        this.fault.textContent = failure.message;
    }
    redraw() {
        if (this.chart.rows.length > 0) this.chart.draw();
    }
}

// ---- tables

class TablePanel extends Panel {
    constructor(name, title, go, rows) {
        super(name, title, go);
        this.limit = rows;
        this.more = null; // what the limit was widened for
    }
    limitFor(view) {
        const what = JSON.stringify([view.range, view.from, view.to, view.domain, view.error, view.order, view.user, view.by]);
        return this.more === what ? MOST_ROWS : this.limit;
    }
    // Below a list that ends at its limit.
    foot(rows, view, words) {
        const limit = this.limitFor(view);
        if (rows.length < limit) return null;
        const widen = () => {
            this.more = JSON.stringify([view.range, view.from, view.to, view.domain, view.error, view.order, view.user, view.by]);
            this.go({});
        };
        return el('div', { class: 'pages' }, el('span', { text: `The first ${limit} ${words}.` }),
            limit < MOST_ROWS ? el('button', { type: 'button', text: `Show ${MOST_ROWS}`, onclick: widen }) : null);
    }
}

const domainButton = (go, domain) => filterButton(domain || NOBODY, () => go({ domain }));
const domainColumn = (go, rows, key) => ({
    key: 'domain', name: 'Domain', value: (row) => row.domain, share: rows && shareOf(rows, key),
    cell: (row) => domainButton(go, row.domain),
});

class Domains extends TablePanel {
    constructor(go) {
        super('domains', 'Top domains', go, 30);
    }
    asks(view, { from, to }) {
        return [['domains', { ...parametersOf(view, from, to), sortBy: view.sort, limit: this.limitFor(view) }]];
    }
    show([{ data }], view) {
        this.controls.replaceChildren(segments('Top domains by', { bytes: 'Traffic', count: 'Requests' }, view.sort, (sort) => this.go({ sort })));
        if (data.length === 0) return this.say('No domains in this view.');
        const key = view.sort === 'bytes' ? 'bytes_total' : 'total_count';
        const columns = [domainColumn(this.go, data, key), bytesOf('bytes_total', 'Traffic'), bytesOf('total_bytes_sent', 'Sent'),
            bytesOf('total_bytes_received', 'Received'), countOf('total_count', 'Requests'), countOf('total_errors', 'Errors')];
        this.body.replaceChildren(table({ caption: 'Top domains', columns, rows: data, order: { key, descending: true } }),
            this.foot(data, view, 'domains') ?? '');
    }
}

class Breakdown extends TablePanel {
    constructor(go) {
        super('breakdown', 'Breakdown', go, 30);
        this.isAdmin = true;
        this.by = el('select', { 'aria-label': 'Breakdown by', onchange: () => this.go({ by: this.by.value }) });
    }
    asks(view, { from, to }) {
        return [['breakdown', { ...parametersOf(view, from, to), by: view.by, sortBy: view.bysort, limit: this.limitFor(view) }]];
    }
    #choices(view) {
        const names = Object.entries(DIMENSIONS).filter(([key]) => this.isAdmin || key !== 'user' || view.by === 'user');
        this.by.replaceChildren(...names.map(([key, text]) => el('option', { value: key, text: `By ${text.toLowerCase()}` })));
        this.by.value = view.by;
        this.controls.replaceChildren(segments('Breakdown sorted by', { bytes: 'Traffic', count: 'Requests' }, view.bysort,
            (bysort) => this.go({ bysort })));
        if (!this.by.isConnected) this.controls.before(this.by);
    }
    #value(view) {
        const pick = { order: 'order', user: 'user' }[view.by];
        return (row) => {
            if (row.rest) return row.rest;
            if (row.value === '') return NOBODY;
            if (!pick) return format.name(row.value);
            return filterButton(row.value, () => this.go({ [pick]: row.value }));
        };
    }
    show([{ data, other, total }], view) {
        this.#choices(view);
        if (data.length === 0) return this.say('Nothing to break down in this view.');
        const key = view.bysort === 'bytes' ? 'bytes_total' : 'total_count';
        const share = shareOf(data, key);
        const columns = [
            { key: 'value', name: DIMENSIONS[view.by], value: (row) => row.value, cell: this.#value(view), share: (row) => (row.rest ? 0 : share(row)) },
            bytesOf('bytes_total', 'Traffic'), countOf('total_count', 'Requests'), countOf('total_errors', 'Errors'),
            countOf('max_concurrency', 'Peak'),
        ];
        const rows = [...data];
        if (total > data.length) rows.push({ ...other, rest: `${format.exact(total - data.length)} others` });
        this.body.replaceChildren(table({ caption: `Breakdown by ${DIMENSIONS[view.by].toLowerCase()}`, columns, rows, order: { key, descending: true } }),
            this.foot(data, view, 'values') ?? '');
    }
    refuse(failure) {
        this.controls.replaceChildren();
        super.refuse(failure);
    }
}

class Errors extends TablePanel {
    constructor(go) {
        super('errors', 'Errors', go, 50);
    }
    asks(view, { from, to }) {
        return [['errors', { ...parametersOf(view, from, to), limit: this.limitFor(view) }]];
    }
    #samples(row) {
        return el('span', { class: 'samples' }, ...row.sample_domains.map((domain) => domainButton(this.go, domain)));
    }
    #columns(rows) {
        return [
            {
                key: 'error', name: 'Error', wide: true, value: (row) => row.error, share: shareOf(rows, 'total_errors'),
                cell: (row) => filterButton(row.error, () => this.go({ error: row.error })),
            },
            countOf('total_errors', 'Times'), timeOf('first_seen', 'First seen'), timeOf('last_seen', 'Last seen'),
            { key: 'sample_domains', name: 'Among them at', cell: (row) => this.#samples(row) },
        ];
    }
    show([{ data }], view) {
        if (data.length === 0) return this.say('No errors in this view.');
        this.body.replaceChildren(
            table({ caption: 'Errors', columns: this.#columns(data), rows: data, order: { key: 'total_errors', descending: true } }),
            this.foot(data, view, 'errors') ?? '');
    }
}

class Websites extends TablePanel {
    constructor(go) {
        super('websites', 'Websites', go, 25);
        this.order = { key: 'total_count', descending: true };
    }
    asks(view, { from, to }) {
        return [['websites', { ...parametersOf(view, from, to), page: view.page, limit: this.limit }]];
    }
    #sort(column) {
        const { key, descending } = this.order;
        this.order = { key: column.key, descending: key === column.key ? !descending : column.figure === true };
        const [answer, view] = this.shown;
        this.show([answer], view);
        this.body.querySelector('[aria-sort] button')?.focus();
    }
    #pages({ page, total, totalPages }) {
        const to = (target, text, words) => el('button', {
            type: 'button', text, 'aria-label': words, disabled: target < 1 || target > totalPages || target === page,
            onclick: () => this.go({ page: target }),
        });
        return el('div', { class: 'pages' },
            el('span', { text: `Page ${page} of ${totalPages} · ${format.exact(total)} websites · a heading sorts within the page` }),
            to(1, '«', 'First page'), to(page - 1, '‹', 'Page before'), to(page + 1, '›', 'Next page'), to(totalPages, '»', 'Last page'));
    }
    show([answer], view) {
        this.shown = [answer, view];
        if (answer.total === 0) return this.say('No websites in this view.');
        if (answer.data.length === 0) {
            this.say(`There is no page ${answer.page}: the last one is ${answer.totalPages}.`);
            this.body.append(this.#pages(answer));
            return;
        }
        const columns = [domainColumn(this.go), countOf('total_count', 'Requests'), bytesOf('bytes_total', 'Traffic'),
            timeOf('first_visit', 'First visit'), timeOf('last_visit', 'Last visit')];
        const by = columns.find(({ key }) => key === this.order.key);
        this.body.replaceChildren(
            table({ caption: 'Websites', columns, rows: sorted(answer.data, by, this.order.descending), order: this.order, onSort: (column) => this.#sort(column) }),
            this.#pages(answer));
    }
}

export function makePanels(go, zoom) {
    return [
        new Totals(), ...Object.keys(CHARTS).map((name) => new ChartPanel(name, go, zoom)),
        new Domains(go), new Breakdown(go), new Errors(go), new Websites(go),
    ];
}
