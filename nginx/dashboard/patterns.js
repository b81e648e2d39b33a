// patterns.js: when traffic comes: a table of weekdays and hours; and where: a small chart for each worker. They can be folded
// away, and then ask nothing. Knows figures and elements. Knows no loading.

import { bucketName, placed } from './buckets.js';
import { el, keep, kept, segments } from './dom.js';
import * as format from './format.js';
import { Panel } from './panel.js';
import { granularityOf } from './ranges.js';
import { figure, filterButton } from './tables.js';
import { parametersOf } from './view.js';
import { WEEKDAYS, parseWall, toWall } from './zone.js';

const MOST_WORKERS = 8;
const SVG = 'http://www.w3.org/2000/svg';

class Folding extends Panel {
    constructor(name, title, page, isOpen) {
        super(name, title, page);
        this.isOpen = (kept('localStorage', `open.${name}`) ?? String(isOpen)) === 'true';
        this.fold = el('button', { type: 'button', class: 'take', 'aria-controls': `${name}-body`, onclick: () => this.#turn() });
        this.body.id = `${name}-body`;
        this.csv.before(this.fold);
        this.#showFold();
    }
    #turn() {
        this.isOpen = !this.isOpen;
        keep('localStorage', `open.${this.name}`, String(this.isOpen));
        this.#showFold();
        this.page.go({});
    }
    unfold() {
        this.isOpen = true;
        this.#showFold();
    }
    #showFold() {
        this.fold.textContent = this.isOpen ? 'Hide' : 'Show';
        this.fold.setAttribute('aria-label', `${this.isOpen ? 'Hide' : 'Show'}: ${this.title}`);
        this.fold.setAttribute('aria-expanded', String(this.isOpen));
        this.body.hidden = this.controls.hidden = this.csv.hidden = !this.isOpen;
        this.node.classList.toggle('folded', !this.isOpen);
    }
}

const MEASURES = { bytes_total: 'Traffic', total_count: 'Requests' };
const MONDAY_FIRST = [1, 2, 3, 4, 5, 6, 0];

class Heat extends Folding {
    constructor(page) {
        super('heat', 'Weekdays and hours', page, true);
        this.measure = 'bytes_total';
    }
    asks(view, range) {
        if (!this.isOpen) return [];
        return [['traffic', { ...parametersOf(view, range.from, range.to), granularity: 'hour', fill: 'zero' }]];
    }
    csvAsks(view, range) {
        return { ...super.csvAsks(view, range), what: 'traffic-by-hour' };
    }
    // Averages of each hour of the week, of those that have begun: {key: [sum, times]}.
    #averages(rows, now, zone) {
        const averages = new Map();
        for (const row of rows) {
            const wall = parseWall(row.bucket);
            if (wall > toWall(now, zone)) continue;
            const date = new Date(wall);
            const key = date.getUTCDay() * 24 + date.getUTCHours();
            const [sum, times] = averages.get(key) ?? [0, 0];
            averages.set(key, [sum + Number(row[this.measure]), times + 1]);
        }
        return new Map([...averages].map(([key, [sum, times]]) => [key, sum / times]));
    }
    #cell(value, most) {
        if (value === undefined) return el('td', {}, el('span', { class: 'unseen', text: 'none' }));
        const text = this.measure === 'bytes_total' ? format.bytes(Math.round(value)) : format.count(Math.round(value));
        const node = el('td', { class: 'heat', title: text }, el('span', { class: 'unseen', text }));
        node.style.setProperty('--heat', most > 0 ? (value / most).toFixed(3) : 0);
        return node;
    }
    show([{ data }], view, range) {
        this.shown = [[{ data }], view, range];
        this.controls.replaceChildren(segments('Weekdays and hours by', MEASURES, this.measure, (measure) => {
            this.measure = measure;
            this.show(...this.shown);
            this.controls.querySelector('[aria-pressed="true"]').focus();
        }));
        const averages = this.#averages(data, range.now, view.zone);
        const most = Math.max(0, ...averages.values());
        if (most === 0) return this.say('No traffic in this period.');
        const hours = [...Array(24).keys()];
        const days = MONDAY_FIRST.filter((day) => hours.some((hour) => averages.has(day * 24 + hour)));
        this.body.replaceChildren(el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Weekdays and hours' }, el('table', { class: 'heat-map' },
            el('caption', { class: 'unseen', text: `${MEASURES[this.measure]} an hour on average, by weekday and hour` }),
            el('thead', {}, el('tr', {}, el('td', {}), ...hours.map((hour) => el('th', { scope: 'col', text: String(hour).padStart(2, '0') })))),
            el('tbody', {}, ...days.map((day) => el('tr', {}, el('th', { scope: 'row', text: WEEKDAYS[day] }),
                ...hours.map((hour) => this.#cell(averages.get(day * 24 + hour), most))))))),
        el('p', { class: 'hint', text: `Average of an hour in this period; the darkest is ${this.measure === 'bytes_total' ? format.bytes(Math.round(most)) : format.count(Math.round(most))}. Hours of ${view.zone}.` }));
    }
}

// A line over an area, without axes: `values` against `most`.
function sparkline(values, most, words) {
    const [width, height] = [240, 52];
    const make = (tag, properties) => {
        const node = document.createElementNS(SVG, tag);
        for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
        return node;
    };
    const step = width / values.length;
    const top = (value) => (height - 1 - (most > 0 ? value / most : 0) * (height - 3)).toFixed(1);
    const path = values.map((value, i) => `H${(i * step).toFixed(1)}V${top(value)}H${((i + 1) * step).toFixed(1)}`).join('');
    const picture = make('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': words, class: 'spark' });
    picture.append(make('path', { d: `M0 ${height}${path}V${height}Z` }));
    return picture;
}

class Workers extends Folding {
    constructor(page) {
        super('workers', 'Traffic by worker', page, false);
    }
    asks(view, range) {
        this.node.hidden = !this.page.mayAsk('worker');
        if (this.node.hidden || !this.isOpen) return [];
        return [['breakdown', { ...parametersOf(view, range.from, range.to), by: 'worker', limit: MOST_WORKERS }]];
    }
    csvAsks(view, range) {
        return { ...super.csvAsks(view, range), first: 'worker', what: 'breakdown-by-worker' };
    }
    // Then, a chart for each of them.
    follows([{ data }], view, range) {
        const parameters = { ...parametersOf(view, range.from, range.to), granularity: granularityOf(range, view.zone), fill: 'zero' };
        return data.map(({ value }) => ['traffic', { ...parameters, worker: value }]);
    }
    show([{ data, total }, ...charts], view, range) {
        if (data.length === 0) return this.say('No traffic in this period.');
        const values = charts.map((chart) => chart?.data.map((row) => Number(row.bytes_total)) ?? []);
        const most = Math.max(1, ...values.flat());
        const rows = charts.find(Boolean)?.data ?? [];
        const place = placed(rows, range.from, view.zone, granularityOf(range, view.zone));
        this.body.replaceChildren(el('div', { class: 'multiples' }, ...data.map((row, i) => {
            const top = values[i].indexOf(Math.max(...values[i]));
            const words = values[i].length > 0 ? `${row.value || 'none'}: at most ${format.bytes(Math.max(...values[i]))} (${bucketName(place, top)})` : 'no figures';
            return el('div', { class: 'multiple', title: words }, el('div', { class: 'multiple-head' }, filterButton('worker', row.value, this.pick),
                figure(format.bytes(row.bytes_total), format.exactBytes(row.bytes_total))), sparkline(values[i], most, words));
        })), el('p', { class: 'hint', text: `All on one scale, up to ${format.bytes(most)}${total > data.length ? `. The ${data.length} with the most traffic of ${format.exact(total)}` : ''}.` }));
    }
}

export const makePatterns = (page) => [new Heat(page), new Workers(page)];
