// charts.js: a chart over time: drawn by Chart.js, with the earlier period as a pale line, read by hovering or keys, and as a
// table. Knows figures and the canvas. Knows no API, no URL, and not how buckets are chosen.

import { Brush } from './brush.js';
import { bucketName, bucketOf, placed, roundIndices, tickName } from './buckets.js';
import { announce, el } from './dom.js';

// Chart.js is the greatest of all files, and the first figures do not wait for it.
let isChartJsDue = !window.Chart;
const chartJs = new Promise((resolve) => {
    for (const end of ['load', 'error']) document.getElementById('chart-js').addEventListener(end, resolve);
}).then(() => (isChartJsDue = false));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Stripes: of the bucket that is not over yet.
function hatched(ink) {
    const tile = el('canvas', { width: 6, height: 6 });
    const pen = tile.getContext('2d');
    pen.strokeStyle = ink;
    pen.lineWidth = 1.6;
    for (const shift of [-6, 0, 6]) {
        pen.moveTo(shift, 6);
        pen.lineTo(shift + 6, 0);
    }
    pen.stroke();
    return pen.createPattern(tile, 'repeat');
}

export class BucketChart {
    // series: [{key, name, colour, isLine, isRate, value(row), before(row), format, exact}]: what is drawn, and its figure
    // in words. `before` is drawn for the earlier period. onZoom(from, to) gets instants.
    constructor(panel, { title, stacked, series, axis, onZoom }) {
        Object.assign(this, { title, stacked, series, axis, onZoom, rows: [], earlier: [], hidden: new Set() });
        this.canvas = el('canvas', { role: 'img', 'aria-label': title });
        this.frame = el('div', {
            class: 'chart', tabindex: '0', role: 'group',
            'aria-label': `${title}: a chart. Left and right read its values, shift selects, Enter zooms in, Escape zooms out.`,
        }, this.canvas);
        this.legend = el('div', { class: 'legend', role: 'group', 'aria-label': `${title}: what is drawn` });
        this.table = el('details', { class: 'values' }, el('summary', { text: 'Show as table' }));
        this.table.addEventListener('toggle', () => this.#fillTable());
        panel.append(this.legend, this.frame, this.table);
        this.brush = new Brush(this.frame, this);
    }

    // rows and those of the earlier period, as the API lists them, by index.
    show(rows, earlier, { from, now, zone, granularity, isCut }) {
        const isRefreshed = rows.length === this.rows.length && rows[0]?.bucket === this.rows[0]?.bucket;
        const missing = isCut ? Math.max(rows.length - (earlier?.length ?? 0), 0) : 0;
        Object.assign(this, {
            rows, place: placed(rows, from, zone, granularity), earlier: earlier ? [...Array(missing).fill(null), ...earlier] : [],
        });
        this.running = bucketOf(this.place, now);
        if (!isRefreshed) this.brush.reset();
        this.#fillLegend();
        this.draw();
        this.#fillTable();
    }

    // ---- what is drawn, by name

    #fillLegend() {
        const isAlone = this.series.length === 1 && this.earlier.length === 0;
        const entries = isAlone ? [] : [...this.series, ...(this.earlier.length > 0 ? [{ key: 'earlier', name: 'Earlier period' }] : [])];
        const names = entries.map(({ key }) => key).join();
        if (names === this.legend.dataset.names) return;
        this.legend.dataset.names = names;
        this.legend.replaceChildren(...entries.map((one) => this.#legendButton(one)));
    }

    #legendButton(one) {
        return el('button', {
            type: 'button', class: `key ${one.key}`, text: one.name, 'aria-pressed': String(!this.hidden.has(one.key)),
            onclick: ({ currentTarget }) => {
                const isShown = this.hidden.has(one.key);
                this.hidden[isShown ? 'delete' : 'add'](one.key);
                currentTarget.setAttribute('aria-pressed', String(isShown));
                this.draw();
            },
        });
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
        const data = { labels: this.rows.map((row) => row.bucket), datasets: this.#datasets() };
        if (!this.chart) {
            this.chart = new Chart(this.canvas, { type: 'bar', data, options: this.#options() });
        } else {
            this.chart.data = data;
            this.chart.options = this.#options();
            this.chart.update('none');
        }
        this.canvas.setAttribute('aria-label', this.#summary());
    }

    // On paper a chart is as wide as the paper; null: as its place on the screen again.
    resize(width, height) {
        if (width) this.chart?.resize(width, height);
        else this.chart?.resize();
    }

    #datasets() {
        const drawn = this.series.map((one) => this.#dataset(one));
        return this.earlier.length > 0 ? [...drawn, ...this.series.filter(({ before }) => before).map((one) => this.#pale(one))] : drawn;
    }

    #dataset(one) {
        const base = { label: one.name, measure: one.key, data: this.rows.map(one.value), hidden: this.hidden.has(one.key), order: one.order ?? 0 };
        const ink = colour(one.colour);
        if (one.isRate) return { ...base, type: 'line', yAxisID: 'rate', stack: 'rate', order: -1, ...this.#line(ink), spanGaps: true };
        return { ...base, backgroundColor: this.rows.map((_, i) => (i === this.running ? hatched(ink) : ink)), ...this.#bars() };
    }

    #line(ink) {
        const isOpen = ({ p1DataIndex }) => (p1DataIndex === this.running ? [3, 3] : undefined);
        return {
            borderColor: ink, borderWidth: 1.5, pointRadius: this.rows.length === 1 ? 3 : 0, pointHoverRadius: 3, pointBackgroundColor: ink,
            segment: { borderDash: isOpen },
        };
    }

    #bars() {
        const isDense = this.rows.length > 60;
        return { grouped: false, categoryPercentage: 1, barPercentage: isDense ? 0.94 : 0.84, borderRadius: isDense ? 0 : 2 };
    }

    #pale(one) {
        const ink = colour('--earlier');
        return {
            type: 'line', label: `${one.name} earlier`, earlier: one.key, hidden: this.hidden.has('earlier') || this.hidden.has(one.key), order: -2,
            data: this.rows.map((_, i) => (this.earlier[i] ? one.before(this.earlier[i]) : null)), stack: 'earlier', borderColor: ink, borderWidth: 1.5,
            borderDash: [4, 3], pointRadius: this.rows.length === 1 ? 3 : 0, pointHoverRadius: 3, pointBackgroundColor: ink, fill: false,
        };
    }

    #options() {
        const [ink, line, card, text] = ['--muted', '--line', '--raised', '--text'].map(colour);
        const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
        return {
            animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
            interaction: { mode: 'index', intersect: false, axis: 'x' },
            layout: { padding: { top: 4 } },
            scales: this.#scales(ink, line, font),
            plugins: {
                legend: { display: false },
                tooltip: {
                    backgroundColor: card, titleColor: text, bodyColor: text, borderColor: line, borderWidth: 1, padding: 10,
                    cornerRadius: 6, titleFont: { ...font, size: 12 }, bodyFont: { ...font, size: 12 }, boxPadding: 4, usePointStyle: true,
                    callbacks: { title: ([item]) => this.#span(item.dataIndex), label: (item) => ` ${this.#words(item.dataset, item.dataIndex)}` },
                },
            },
        };
    }

    #scales(ink, line, font) {
        const ticks = { color: ink, font, maxTicksLimit: 5, padding: 6 };
        const scales = {
            x: {
                offset: true, stacked: this.stacked, grid: { display: false, drawBorder: false }, afterBuildTicks: (axis) => this.#chooseTicks(axis),
                ticks: { color: ink, font, maxRotation: 0, autoSkipPadding: 18, callback: (index) => tickName(this.place, index) },
            },
            y: {
                stacked: this.stacked, beginAtZero: true, grid: { color: line, drawBorder: false }, suggestedMax: 1,
                ticks: { ...ticks, precision: 0, callback: this.axis },
            },
        };
        if (!this.series.some(({ isRate }) => isRate)) return scales;
        const isShown = this.series.some(({ isRate, key }) => isRate && !this.hidden.has(key));
        return {
            ...scales, rate: {
                position: 'right', beginAtZero: false, max: 100, suggestedMin: 90, display: isShown, grid: { display: false, drawBorder: false },
                ticks: { ...ticks, callback: (value) => `${value} %` },
            },
        };
    }

    // Round hours and midnights, as many as there is room for.
    #chooseTicks(axis) {
        const round = roundIndices(this.place, Math.max(axis.width / 76, 2));
        if (round) axis.ticks = axis.ticks.filter(({ value }) => round.has(value));
    }

    // ---- words

    #span(index) {
        return bucketName(this.place, index) + (index === this.running ? ' (not over yet)' : '');
    }

    #value(one, row) {
        return `${one.name}: ${one.format(row)}${one.exact ? ` (${one.exact(row)})` : ''}`;
    }

    #words(dataset, index) {
        if (dataset.measure) return this.#value(this.series.find(({ key }) => key === dataset.measure), this.rows[index]);
        const one = this.series.find(({ key }) => key === dataset.earlier);
        return `Earlier, ${this.earlier[index].bucket.slice(0, 16)}: ${(one.formatBefore ?? one.format)(this.earlier[index])}`;
    }

    #summary() {
        if (this.rows.length === 0) return `${this.title}: no values`;
        const parts = this.series.filter(({ isRate }) => !isRate).map((one) => {
            const top = this.rows.reduce((best, row, i) => (one.value(row) > one.value(this.rows[best]) ? i : best), 0);
            return `${one.name} at most ${one.format(this.rows[top])} (${this.#span(top)})`;
        });
        return `${this.title}, ${this.rows.length} buckets: ${parts.join('; ')}`;
    }

    #fillTable() {
        if (!this.table.open) return;
        const head = el('tr', {}, el('th', { scope: 'col', text: 'Time' }),
            ...this.series.map((one) => el('th', { scope: 'col', class: 'figure', text: one.name })));
        const body = this.rows.map((row, i) => el('tr', {}, el('th', { scope: 'row', text: this.#span(i) }),
            ...this.series.map((one) => el('td', { class: 'figure', text: (one.exact ?? one.format)(row) }))));
        const table = el('table', {}, el('caption', { class: 'unseen', text: this.title }), el('thead', {}, head), el('tbody', {}, ...body));
        this.table.replaceChildren(this.table.firstChild,
            el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${this.title}: values` }, table));
    }

    // ---- what the brush asks

    isReady() {
        return this.chart !== undefined;
    }

    buckets() {
        return this.rows.length;
    }

    indexAt(x) {
        return this.chart.scales.x.getValueForPixel(x);
    }

    edges(first, last) {
        const axis = this.chart.scales.x;
        const half = axis.width / this.rows.length / 2;
        return [Math.max(axis.getPixelForValue(first) - half, axis.left), Math.min(axis.getPixelForValue(last) + half, axis.right)];
    }

    zoom(first, last) {
        this.onZoom(this.place.begins[first], this.place.begins[last + 1]);
    }

    point(index) {
        if (!this.chart) return;
        const isThere = (set) => index !== null && !set.hidden && set.data[index] !== null;
        const active = this.chart.data.datasets.flatMap((set, datasetIndex) => (isThere(set) ? [{ datasetIndex, index }] : []));
        const x = index === null ? 0 : this.chart.scales.x.getPixelForValue(index);
        this.chart.tooltip.setActiveElements(active, { x, y: 40 });
        this.chart.setActiveElements(active);
        this.chart.update('none');
        if (index !== null) announce([this.#span(index) + '. ' + this.series.map((one) => this.#value(one, this.rows[index])).join(', '), this.#said(index)].join(''));
    }

    #said(index) {
        const one = this.series.find(({ before }) => before);
        return this.earlier[index] && one ? `, earlier: ${(one.formatBefore ?? one.format)(this.earlier[index])}` : '';
    }
}
