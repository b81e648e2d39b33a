// timelines.js: the panels that are charts over time: which figures each draws. Knows figures and the API's names for them.

import { BucketChart } from './charts.js';
import { el } from './dom.js';
import * as format from './format.js';
import { Panel } from './panel.js';
import { granularityOf } from './ranges.js';
import { parametersOf } from './view.js';

const drawn = (key, name, colour, words, exact, more = {}) => ({
    key, name, colour, value: (row) => Number(row[key]), format: (row) => words(row[key]), exact: (row) => exact(row[key]), ...more,
});
const bytes = (key, name, colour, more) => drawn(key, name, colour, format.bytes, format.exactBytes, more);
const count = (key, name, colour, more) => drawn(key, name, colour, format.count, format.exact, more);
const earlier = (key, words) => ({ before: (row) => Number(row[key]), formatBefore: (row) => words(row[key]) });
const durationOf = (row) => (row.avg_duration_ms === null ? null : Number(row.avg_duration_ms));
const rateOf = (row) => format.successRate(row.total_errors, row.total_count);

const CHARTS = {
    traffic: {
        title: 'Traffic', stacked: true, axis: format.axisBytes,
        series: [bytes('total_bytes_received', 'Download', '--received', earlier('bytes_total', format.bytes)), bytes('total_bytes_sent', 'Upload', '--sent')],
    },
    requests: {
        title: 'Requests and errors', stacked: false, axis: format.axisCount,
        series: [
            count('total_count', 'Requests', '--requests', { order: 1, ...earlier('total_count', format.count) }), count('total_errors', 'Errors', '--errors'),
            { key: 'success', name: 'Success rate', colour: '--good', isRate: true, value: rateOf, format: (row) => format.success(rateOf(row)) },
        ],
    },
    concurrency: {
        title: 'Highest reported concurrency', stacked: false, axis: format.axisCount,
        series: [count('max_concurrency', 'Highest', '--peak', earlier('max_concurrency', format.count))],
    },
    speed: {
        title: 'Average duration of a request', stacked: false, axis: format.axisDuration, report: 'requests', more: { durations: true }, isThere: format.isDuration,
        series: [drawn('avg_duration_ms', 'Duration', '--speed', format.duration, format.exactDuration, {
            value: durationOf, before: durationOf, formatBefore: (row) => format.duration(row.avg_duration_ms),
        })],
    },
};

class Timeline extends Panel {
    constructor(name, page, zoom) {
        super(name, CHARTS[name].title, page);
        Object.assign(this, { report: name, more: {} }, CHARTS[name]);
        this.chart = new BucketChart(this.body, { ...CHARTS[name], onZoom: zoom });
        this.png = el('button', { type: 'button', class: 'take', text: 'PNG', 'aria-label': `${this.title} as PNG`, title: 'Download as a picture' });
        this.csv.before(this.png);
        this.fault = el('p', { class: 'nothing fault', hidden: true });
        this.node.append(this.fault);
    }
    asks(view, range) {
        const granularity = granularityOf(range, view.zone);
        const of = (from, to) => [this.report, { ...parametersOf(view, from, to), ...this.more, granularity, fill: 'zero' }];
        return [of(range.from, range.to), ...(range.before ? [of(range.before.from, range.before.to)] : [])];
    }
    csvAsks(view, range) {
        return { ...super.csvAsks(view, range), what: this.name };
    }
    // What no log tells is not shown; a frame says that.
    show([{ data }, before], view, range) {
        const isThere = !this.isThere || data.some(this.isThere);
        this.node.hidden = !isThere && !view.embed;
        if (!isThere) return this.refuse({ message: 'No log of this period says how long its requests took.' });
        this.body.hidden = false;
        this.fault.hidden = true;
        const isSomething = before?.data.some((row) => row.total_count !== '0');
        this.chart.show(data, isSomething ? before.data : null, {
            from: range.from, now: range.now, zone: view.zone, granularity: granularityOf(range, view.zone), isCut: range.before?.isCut,
        });
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

export const makeTimelines = (page, zoom) => Object.keys(CHARTS).map((name) => new Timeline(name, page, zoom));
