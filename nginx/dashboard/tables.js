// tables.js: tables of figures: columns with headings that sort, cells that filter, a bar for the share. Knows no API.

import { el } from './dom.js';
import * as format from './format.js';

// columns: [{key, name, figure, cell(row) → node or text, title(row), value(row) to sort by, sort: name or undefined}];
// order: {key, descending} of the column that the rows are in, for assistive technology and the arrow.
export function table({ caption, columns, rows, order, onSort }) {
    const head = columns.map((column) => {
        const sorted = order && order.key === column.key;
        const heading = onSort && column.value
            ? el('button', { type: 'button', class: 'sort', text: column.name, onclick: () => onSort(column) })
            : column.name;
        return el('th', {
            scope: 'col', class: column.figure ? 'figure' : null,
            'aria-sort': sorted ? (order.descending ? 'descending' : 'ascending') : null,
        }, heading);
    });
    const body = rows.map((row) => el('tr', {}, ...columns.map((column, i) => cell(column, row, i === 0))));
    return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
        el('table', {}, el('caption', { class: 'unseen', text: caption }), el('thead', {}, el('tr', {}, ...head)),
            el('tbody', {}, ...body)));
}

function cell(column, row, isFirst) {
    const node = el(isFirst ? 'th' : 'td', {
        scope: isFirst ? 'row' : null, class: column.figure ? 'figure' : column.wide ? 'name wide-name' : 'name', title: column.title ? column.title(row) : null,
    });
    node.append(column.cell(row));
    const share = column.share ? column.share(row) : 0;
    if (share >= 0.005) {
        const bar = el('span', { class: 'share', 'aria-hidden': 'true' });
        bar.style.width = `${share * 100}%`;
        node.append(bar);
    }
    return node;
}

// A copy of the rows in another order. Equal ones stay as they came.
export function sorted(rows, column, descending) {
    const sign = descending ? -1 : 1;
    return [...rows].sort((a, b) => {
        const [x, y] = [column.value(a), column.value(b)];
        return x < y ? -sign : x > y ? sign : 0;
    });
}

// A name that filters by itself when it is pressed.
export function filterButton(name, onPick) {
    return el('button', { type: 'button', class: 'pick', text: format.name(name), title: `Show only ${format.name(name)}`, onclick: onPick });
}
