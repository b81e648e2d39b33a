// tables.js: tables of figures: columns with headings that sort, cells that filter, a bar for the share. Knows no API.

import { el } from './dom.js';
import { FIELDS, valueName } from './filters.js';
import * as format from './format.js';
import { clock, dayName, parseWall } from './zone.js';

// columns: [{key, name, figure, cell(row) → node or text, sort: what the server calls that order, isHigh(row)}]; sort: the
// order that the rows are in, descending. onSort(sort) asks for another.
export function table({ caption, columns, rows, sort, onSort }) {
    const head = columns.map((column) => el('th', {
        scope: 'col', class: column.figure ? 'figure' : null, 'aria-sort': column.sort && column.sort === sort ? 'descending' : null,
        title: column.about ?? null,
    }, onSort && column.sort ? el('button', { type: 'button', class: 'sort', text: column.name, onclick: () => onSort(column.sort) }) : column.name));
    const body = rows.map((row) => el('tr', { class: row.rest ? 'rest' : null }, ...columns.map((column, i) => cell(column, row, i === 0))));
    return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
        el('table', {}, el('caption', { class: 'unseen', text: caption }), el('thead', {}, el('tr', {}, ...head)),
            el('tbody', {}, ...body)));
}

function cell(column, row, isFirst) {
    const kind = column.figure ? 'figure' : column.wide ? 'name wide-name' : 'name';
    const node = el(isFirst ? 'th' : 'td', { scope: isFirst ? 'row' : null, class: column.isHigh?.(row) ? `${kind} high` : kind });
    node.append(column.cell(row));
    const share = column.share ? column.share(row) : 0;
    if (share >= 0.005) {
        const bar = el('span', { class: 'share', 'aria-hidden': 'true' });
        bar.style.width = `${share * 100}%`;
        node.append(bar);
    }
    return node;
}

// ---- columns

export const figure = (text, exact) => el('span', { text, title: exact });

export const bytesOf = (key, name, sort) => ({
    key, name, sort, figure: true, cell: (row) => figure(format.bytes(row[key]), format.exactBytes(row[key])),
});
export const countOf = (key, name, sort) => ({
    key, name, sort, figure: true, cell: (row) => figure(format.count(row[key]), format.exact(row[key])),
});
// How long a request took on average, where any row tells.
export const durationsOf = (rows) => (rows.some(format.isDuration) ? [{
    key: 'avg_duration_ms', name: 'Duration', sort: 'duration', figure: true, about: 'How long a request took on average',
    cell: (row) => figure(format.duration(row.avg_duration_ms), format.exactDuration(row.avg_duration_ms)),
}] : []);
export const timeOf = (key, name) => ({
    key, name, cell: (row) => {
        if (!row[key]) return '';
        const wall = parseWall(row[key]);
        return el('span', { class: 'time', text: `${dayName(wall)} ${clock(wall)}`, title: row[key] });
    },
});
// Part of the whole, which is a sum of all rows.
export const shareOf = (key, whole, name = 'Share') => ({
    key: 'share', name, figure: true, cell: (row) => format.percent(row[key], whole),
});
// How many of the requests failed; tinted where that is over twice as many as of all.
export function errorRateOf({ total_errors: errors, total_count: count }) {
    const whole = Number(errors) / Number(count);
    const isHigh = (row) => !row.rest && row.total_errors !== '0' && Number(row.total_errors) > 2 * whole * Number(row.total_count);
    return {
        key: 'error_rate', name: 'Error %', sort: 'error_rate', figure: true, isHigh,
        cell: (row) => el('span', { text: format.percent(row.total_errors, row.total_count), title: isHigh(row) ? 'Over twice the rate of all' : null }),
    };
}

// The bar of a row: against the greatest of all rows.
export function barOf(rows, key) {
    const most = rows.reduce((best, row) => (row.rest ? best : Math.max(best, Number(row[key]))), 0);
    return (row) => (most > 0 && !row.rest ? Number(row[key]) / most : 0);
}

// The sums of all rows of a breakdown: those on the page and the rest.
export function wholeOf(rows, other) {
    const sum = (key) => String([...rows, other ?? {}].reduce((all, row) => all + BigInt(row[key] ?? 0), 0n));
    return { total_count: sum('total_count'), total_errors: sum('total_errors'), bytes_total: sum('bytes_total') };
}

// A value that filters by itself when it is pressed, and is excluded when shift is held. onPick(key, value, isNot)
export function filterButton(key, value, onPick) {
    const text = valueName(value);
    if (value === '' && !FIELDS[key].mayBeEmpty) return text;
    return el('button', {
        type: 'button', class: 'pick', text, title: `Show only ${text}. With Shift: leave it out.`,
        onclick: ({ shiftKey }) => onPick(key, value, shiftKey),
    });
}

// ---- pages

export function pages({ page, total, totalPages }, [one, many], go) {
    const to = (target, text, words) => el('button', {
        type: 'button', text, 'aria-label': words, disabled: target < 1 || target > totalPages || target === page, onclick: () => go(target),
    });
    return el('div', { class: 'pages' },
        el('span', { text: `Page ${format.exact(page)} of ${format.exact(totalPages)} · ${format.plural(total, one, many)}` }),
        to(1, '«', 'First page'), to(page - 1, '‹', 'Previous page'), to(page + 1, '›', 'Next page'), to(totalPages, '»', 'Last page'));
}
