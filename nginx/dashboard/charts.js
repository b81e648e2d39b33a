// charts.js: the three charts: drawn by Chart.js, hovered, walked through by keys, zoomed by dragging. Knows buckets and
// the canvas. Knows no API and no URL.

import { announce, el } from './dom.js';
import { DAY, HOUR, MINUTE, clock, dayName, parseWall, spanName, toInstant, weekdayName } from './zone.js';

const LEAST_DRAG_PX = 8;

// Chart.js is the greatest of all files, and the first figures do not wait for it.
let isChartJsDue = !window.Chart;
const chartJs = new Promise((resolve) => {
    for (const end of ['load', 'error']) document.getElementById('chart-js').addEventListener(end, resolve);
}).then(() => (isChartJsDue = false));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const translucent = (hex) => `${hex}2e`;

// Buckets as the API lists them, to where each begins and ends. Its times are the zone's wall times.
function placed(rows, from, zone) {
    const walls = rows.map((row) => parseWall(row.bucket));
    const gaps = walls.slice(1).map((wall, i) => wall - walls[i]).filter((gap) => gap > 0);
    const width = gaps.length > 0 ? Math.min(...gaps) : null;
    if (width !== null && width < DAY) {
        let first = toInstant(walls[0], zone);
        if (first + width <= from) first += HOUR; // the second time the clock shows it
        const begins = rows.map((_, i) => first + i * width);
        return { walls, width, begins: [...begins, first + rows.length * width] };
    }
    const begins = walls.map((wall) => toInstant(wall, zone));
    return { walls, width: width ?? 15 * MINUTE, begins };
}

export class BucketChart {
    // series: [{key, name, colour}]; format, axis and exact turn a figure into text; onZoom(from, to) gets instants.
    constructor(panel, { title, type, stacked, series, format, axis, exact, onZoom }) {
        Object.assign(this, { title, type, stacked, series, format, axis, exact, onZoom });
        this.rows = [];
        this.hidden = new Set();
        this.canvas = el('canvas', { role: 'img', 'aria-label': title });
        this.brush = el('div', { class: 'brush', hidden: true });
        this.frame = el('div', {
            class: 'chart', tabindex: '0', role: 'group',
            'aria-label': `${title}: a chart. Left and right read its values, shift selects, Enter zooms in, Escape zooms out.`,
        }, this.canvas, this.brush);
        this.legend = el('div', { class: 'legend', role: 'group', 'aria-label': `${title}: what is drawn` },
            ...(series.length > 1 ? series.map((one) => this.#legendButton(one)) : []));
        this.table = el('details', { class: 'values' }, el('summary', { text: 'Values as a table' }));
        this.table.addEventListener('toggle', () => this.#fillTable());
        panel.append(this.legend, this.frame, this.table);
        this.#listen();
    }

    #legendButton(one) {
        return el('button', {
            type: 'button', class: `key ${one.key}`, text: one.name, 'aria-pressed': 'true',
            onclick: ({ currentTarget }) => {
                const shown = this.hidden.has(one.key);
                this.hidden[shown ? 'delete' : 'add'](one.key);
                currentTarget.setAttribute('aria-pressed', String(shown));
                this.draw();
            },
        });
    }

    show(rows, from, zone) {
        const isRefreshed = rows.length === this.rows.length && rows[0]?.bucket === this.rows[0]?.bucket;
        Object.assign(this, { rows, zone, place: placed(rows, from, zone) });
        if (!isRefreshed) {
            Object.assign(this, { cursor: null, anchor: null });
            this.#hideBrush();
        }
        this.draw();
        this.#fillTable();
    }

    // ---- drawing

    draw() {
        if (!window.Chart && isChartJsDue) {
            chartJs.then(() => this.draw());
        } else if (!window.Chart) {
            this.frame.replaceChildren(el('p', {
                class: 'hint', text: 'Charts need Chart.js, which the server does not have (Debian’s package libjs-chart.js).',
            }));
            this.table.open = true;
        } else {
            this.#drawWith(window.Chart);
        }
    }

    #drawWith(Chart) {
        const data = { labels: this.rows.map((row) => row.bucket), datasets: this.series.map((one) => this.#dataset(one)) };
        if (!this.chart) {
            this.chart = new Chart(this.canvas, { type: this.type, data, options: this.#options() });
        } else {
            this.chart.data = data;
            this.chart.options = this.#options();
            this.chart.update('none');
        }
        this.canvas.setAttribute('aria-label', this.#summary());
    }

    #dataset(one) {
        const ink = colour(one.colour);
        return {
            label: one.name, data: this.rows.map((row) => Number(row[one.key])), hidden: this.hidden.has(one.key), order: one.order ?? 0,
            ...(this.type === 'line'
                ? { borderColor: ink, backgroundColor: translucent(ink), borderWidth: 1.5, fill: true, stepped: 'middle',
                    pointRadius: this.rows.length === 1 ? 3 : 0, pointHoverRadius: 3, pointBackgroundColor: ink }
                : { backgroundColor: ink, grouped: false, categoryPercentage: 1, barPercentage: this.rows.length > 60 ? 0.94 : 0.84,
                    borderRadius: this.rows.length > 60 ? 0 : 2 }),
        };
    }

    #options() {
        const [ink, line, card, text] = ['--muted', '--line', '--raised', '--text'].map(colour);
        const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
        return {
            animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
            interaction: { mode: 'index', intersect: false, axis: 'x' },
            layout: { padding: { top: 4 } },
            scales: {
                x: {
                    stacked: this.stacked, grid: { display: false, drawBorder: false }, afterBuildTicks: (axis) => this.#chooseTicks(axis),
                    ticks: { color: ink, font, maxRotation: 0, autoSkipPadding: 18, callback: (index) => this.#tick(index) },
                },
                y: {
                    stacked: this.stacked, beginAtZero: true, grid: { color: line, drawBorder: false },
                    suggestedMax: 1, ticks: { color: ink, font, maxTicksLimit: 5, padding: 6, precision: 0, callback: this.axis },
                },
            },
            plugins: {
                legend: { display: false },
                tooltip: {
                    backgroundColor: card, titleColor: text, bodyColor: text, borderColor: line, borderWidth: 1, padding: 10,
                    cornerRadius: 6, titleFont: { ...font, size: 12 }, bodyFont: { ...font, size: 12 }, boxPadding: 4, usePointStyle: true,
                    callbacks: { title: ([item]) => this.#span(item.dataIndex), label: (item) => ` ${this.#value(item.dataIndex, item.datasetIndex)}` },
                },
            },
        };
    }

    // Round hours and midnights, as many as there is room for.
    #chooseTicks(axis) {
        const { walls, width } = this.place;
        if (width >= DAY || walls.length < 2) return;
        const room = Math.max(axis.width / 76, 2);
        const span = walls.at(-1) - walls[0];
        const step = [1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR).find((size) => span / size <= room) ?? DAY;
        const round = axis.ticks.filter(({ value }) => walls[value] % step === 0);
        if (round.length > 1) axis.ticks = round;
    }

    #tick(index) {
        const wall = this.place.walls[index];
        if (this.place.width >= DAY) return dayName(wall);
        return wall % DAY === 0 ? weekdayName(wall) : clock(wall);
    }

    // ---- words

    #span(index) {
        const { walls, width, begins } = this.place;
        const end = width < DAY ? walls[index] + width : index + 1 < walls.length ? walls[index + 1] : walls[index] + width;
        return begins.length > 0 ? spanName(walls[index], end) : '';
    }

    #value(index, series) {
        const one = this.series[series];
        return `${one.name}: ${this.format(this.rows[index][one.key])} (${this.exact(this.rows[index][one.key])})`;
    }

    #summary() {
        if (this.rows.length === 0) return `${this.title}: no values`;
        const parts = this.series.map((one) => {
            const top = this.rows.reduce((best, row, i) => (Number(row[one.key]) > Number(this.rows[best][one.key]) ? i : best), 0);
            return `${one.name} at most ${this.format(this.rows[top][one.key])} (${this.#span(top)})`;
        });
        return `${this.title}, ${this.rows.length} buckets: ${parts.join('; ')}`;
    }

    #fillTable() {
        if (!this.table.open) return;
        const head = el('tr', {}, el('th', { scope: 'col', text: 'Time' }),
            ...this.series.map((one) => el('th', { scope: 'col', class: 'figure', text: one.name })));
        const body = this.rows.map((row, i) => el('tr', {}, el('th', { scope: 'row', text: this.#span(i) }),
            ...this.series.map((one) => el('td', { class: 'figure', text: this.exact(row[one.key]) }))));
        const table = el('table', {}, el('caption', { class: 'unseen', text: this.title }), el('thead', {}, head), el('tbody', {}, ...body));
        this.table.replaceChildren(this.table.firstChild,
            el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${this.title}: values` }, table));
    }

    // ---- zooming: by dragging, or with shift and the arrow keys

    #listen() {
        const frame = this.frame;
        frame.addEventListener('pointerdown', (event) => this.#press(event));
        frame.addEventListener('pointermove', (event) => this.#drag(event));
        frame.addEventListener('pointerup', (event) => this.#release(event));
        frame.addEventListener('pointercancel', () => this.#hideBrush());
        frame.addEventListener('keydown', (event) => this.#key(event));
        frame.addEventListener('blur', () => this.#point(null));
    }

    #press(event) {
        if (event.button !== 0 || !this.chart || this.rows.length < 2) return;
        this.pressed = this.#x(event);
        this.frame.setPointerCapture(event.pointerId);
    }

    #drag(event) {
        if (this.pressed === undefined || Math.abs(this.#x(event) - this.pressed) < LEAST_DRAG_PX) return;
        this.#showBrush(...this.#indices(this.pressed, this.#x(event)));
    }

    #release(event) {
        const pressed = this.pressed;
        const drawn = !this.brush.hidden;
        this.#hideBrush();
        if (pressed === undefined || !drawn) return;
        this.#zoom(...this.#indices(pressed, this.#x(event)));
    }

    #x(event) {
        return event.clientX - this.frame.getBoundingClientRect().left;
    }

    #indices(x1, x2) {
        const last = this.rows.length - 1;
        const at = (x) => Math.min(Math.max(this.chart.scales.x.getValueForPixel(x), 0), last);
        return [at(Math.min(x1, x2)), at(Math.max(x1, x2))];
    }

    #showBrush(first, last) {
        const axis = this.chart.scales.x;
        const half = (axis.getPixelForValue(1) - axis.getPixelForValue(0)) / 2;
        const left = Math.max(axis.getPixelForValue(first) - half, axis.left);
        this.brush.style.left = `${left}px`;
        this.brush.style.width = `${Math.min(axis.getPixelForValue(last) + half, axis.right) - left}px`;
        this.brush.hidden = false;
    }

    #hideBrush() {
        this.pressed = undefined;
        this.brush.hidden = true;
    }

    #zoom(first, last) {
        const { begins, walls, width } = this.place;
        const end = last + 1 < begins.length ? begins[last + 1] : toInstant(walls[last] + width, this.zone);
        this.onZoom(begins[first], end);
    }

    #key(event) {
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
        const selected = this.anchor !== null && this.cursor !== null;
        if (step !== undefined && this.rows.length > 0 && this.chart) {
            event.preventDefault();
            this.#move(step, event.shiftKey);
        } else if (event.key === 'Enter' && selected) {
            this.#zoom(Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor));
        } else if (event.key === 'Escape' && (selected || this.pressed !== undefined)) {
            event.stopPropagation();
            this.anchor = null;
            this.#hideBrush();
        }
    }

    #move(step, selects) {
        const last = this.rows.length - 1;
        const start = this.cursor ?? (step < 0 ? last + 1 : -1);
        if (!selects) this.anchor = null;
        else if (this.anchor === null) this.anchor = Math.min(Math.max(start, 0), last);
        this.#point(Math.min(Math.max(start + step, 0), last));
        if (selects) this.#showBrush(Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor));
        else this.brush.hidden = true;
        const values = this.series.map((_, i) => this.#value(this.cursor, i)).join(', ');
        announce(`${this.#span(this.cursor)}. ${values}`);
    }

    #point(index) {
        this.cursor = index;
        if (!this.chart) return;
        const active = index === null ? [] : this.series.map((_, datasetIndex) => ({ datasetIndex, index }));
        const x = index === null ? 0 : this.chart.scales.x.getPixelForValue(index);
        this.chart.tooltip.setActiveElements(active, { x, y: 40 });
        this.chart.setActiveElements(active);
        this.chart.update('none');
    }
}
