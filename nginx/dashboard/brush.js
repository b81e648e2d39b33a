// brush.js: chooses buckets of a chart: by dragging, by a click, or with shift and the arrow keys. Knows pixels and keys.
// Knows no figures: the chart says where its buckets are, and hears what was chosen.

import { el } from './dom.js';

const LEAST_DRAG_PX = 8;

export class Brush {
    // chart: {isReady(), buckets(), indexAt(x), edges(first, last) → [left, right], point(index or null), zoom(first, last)}
    constructor(frame, chart) {
        Object.assign(this, { frame, chart, cursor: null, anchor: null, pressed: undefined });
        this.node = el('div', { class: 'brush', hidden: true });
        frame.append(this.node);
        frame.addEventListener('pointerdown', (event) => this.#press(event));
        frame.addEventListener('pointermove', (event) => this.#drag(event));
        frame.addEventListener('pointerup', (event) => this.#release(event));
        frame.addEventListener('pointercancel', () => this.#hide());
        frame.addEventListener('keydown', (event) => this.#key(event));
        frame.addEventListener('blur', () => this.#point(null));
    }

    reset() {
        Object.assign(this, { cursor: null, anchor: null });
        this.#hide();
    }

    #press(event) {
        if (event.button !== 0 || !this.chart.isReady() || this.chart.buckets() === 0) return;
        this.pressed = this.#x(event);
        this.frame.setPointerCapture(event.pointerId);
    }

    #drag(event) {
        if (this.pressed === undefined || Math.abs(this.#x(event) - this.pressed) < LEAST_DRAG_PX) return;
        this.#show(...this.#indices(this.pressed, this.#x(event)));
    }

    // A click of a mouse zooms into its bucket; a tap of a finger only shows the values.
    #release(event) {
        const { pressed } = this;
        const isDrawn = !this.node.hidden;
        this.#hide();
        if (pressed === undefined) return;
        const isClick = event.pointerType === 'mouse' && Math.abs(this.#x(event) - pressed) < LEAST_DRAG_PX;
        if (isDrawn || isClick) this.chart.zoom(...this.#indices(pressed, this.#x(event)));
    }

    #x(event) {
        return event.clientX - this.frame.getBoundingClientRect().left;
    }

    #indices(x1, x2) {
        const last = this.chart.buckets() - 1;
        const at = (x) => Math.min(Math.max(this.chart.indexAt(x), 0), last);
        return [at(Math.min(x1, x2)), at(Math.max(x1, x2))];
    }

    #show(first, last) {
        const [left, right] = this.chart.edges(first, last);
        this.node.style.left = `${left}px`;
        this.node.style.width = `${right - left}px`;
        this.node.hidden = false;
    }

    #hide() {
        this.pressed = undefined;
        this.node.hidden = true;
    }

    #key(event) {
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
        const isSelected = this.anchor !== null && this.cursor !== null;
        if (step !== undefined && this.chart.buckets() > 0 && this.chart.isReady()) {
            event.preventDefault();
            this.#move(step, event.shiftKey);
        } else if (event.key === 'Enter' && this.cursor !== null) {
            const other = isSelected ? this.anchor : this.cursor;
            this.chart.zoom(Math.min(other, this.cursor), Math.max(other, this.cursor));
        } else if (event.key === 'Escape' && (isSelected || this.pressed !== undefined)) {
            event.stopPropagation();
            this.anchor = null;
            this.#hide();
        }
    }

    #move(step, selects) {
        const last = this.chart.buckets() - 1;
        const start = this.cursor ?? (step < 0 ? last + 1 : -1);
        if (!selects) this.anchor = null;
        else if (this.anchor === null) this.anchor = Math.min(Math.max(start, 0), last);
        this.#point(Math.min(Math.max(start + step, 0), last));
        if (selects) this.#show(Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor));
        else this.node.hidden = true;
    }

    #point(index) {
        this.cursor = index;
        this.chart.point(index);
    }
}
