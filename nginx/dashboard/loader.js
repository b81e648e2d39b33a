// loader.js: brings panels what they ask for: only what is new, the newest view alone, again when the service was away, and
// by itself while the range reaches to now. Knows when. Knows no figures and no controls.

import { Failure, get } from './api.js';
import { keepingPlace } from './dom.js';

const REFRESH_MS = 30000; // or ten times as long as the figures took, where that is more
const LIVE_REFRESH_MS = 10000;
const LONGEST_WAIT_S = 30;

export class Loader {
    // page: {view(), range(), search(), refreshes(), isByTheMinute(), onShown(panel), onSettled(asked), onRefused(failure)}
    constructor(page) {
        Object.assign(this, {
            page, panels: [], round: 0, loading: false, loadedAt: 0, triedAt: 0, tookMs: 0, retryAt: 0, waitSeconds: 1, trouble: null,
        });
    }

    isStale() {
        return this.panels.some(({ failure, hasFigures }) => failure && hasFigures);
    }

    // force: ask again what is shown already; onlyFailed: only what failed; asked: by the person, who hears of it.
    async load({ force = false, onlyFailed = false, asked = false } = {}) {
        const mine = ++this.round;
        Object.assign(this, { loading: true, triedAt: Date.now(), retryAt: 0 });
        const due = this.panels.filter((panel) => {
            const asks = JSON.stringify(panel.asks(this.page.view(), this.page.range()));
            const isNew = asks !== panel.asked;
            panel.asked = asks;
            return isNew || (onlyFailed ? panel.failure : force || panel.failure);
        });
        for (const panel of due) {
            panel.stop?.abort();
            panel.stop = new AbortController();
            panel.ended = this.#loadPanel(panel, panel.stop.signal);
        }
        await Promise.all(this.panels.map((panel) => panel.ended));
        if (mine === this.round) this.#settle(asked);
    }

    stop() {
        this.round++;
        this.loading = false;
        for (const panel of this.panels) panel.stop?.abort();
    }

    // How to load, if it is time to; else null.
    isDue(now) {
        const { refreshes, isByTheMinute, range } = this.page;
        const wait = Math.max(isByTheMinute() ? LIVE_REFRESH_MS : REFRESH_MS, 10 * this.tookMs);
        if (this.loading || this.panels.length === 0 || document.hidden) return null;
        if (this.retryAt > 0) return now >= this.retryAt ? { onlyFailed: true } : null;
        return refreshes() && range().isLive && now - this.triedAt >= wait ? { force: true } : null;
    }

    #settle(asked) {
        this.loading = false;
        const failed = this.panels.map((panel) => panel.failure).filter((failure) => failure?.passes);
        const wasTrouble = this.trouble !== null;
        if (failed.length > 0) {
            this.trouble = failed.find(({ kind }) => kind === 'down') ?? failed[0];
            this.retryAt = Date.now() + Math.max(this.trouble.retryAfter, this.waitSeconds) * 1000;
            this.waitSeconds = Math.min(this.waitSeconds * 2, LONGEST_WAIT_S);
        } else {
            Object.assign(this, { trouble: null, waitSeconds: 1, loadedAt: this.triedAt, tookMs: Date.now() - this.triedAt });
            performance.mark('all-figures');
        }
        this.page.onSettled(asked, wasTrouble);
    }

    // What is only for comparing may be missing.
    async #answers(asks, signal) {
        const [first, ...others] = asks.map(([path, parameters]) => get(path, parameters, signal));
        const rest = others.map((other) => other.catch((failure) => {
            if (failure instanceof Failure && !failure.passes && failure.kind !== 'unauthorized') return null;
            throw failure;
        }));
        return Promise.all([first, ...rest]);
    }

    async #loadPanel(panel, signal) {
        const [view, range, search] = [this.page.view(), this.page.range(), this.page.search()];
        const asks = panel.asks(view, range);
        if (asks.length === 0) return this.#forget(panel);
        const isSameView = panel.shownFor === search;
        this.#mark(panel, true, panel.hasFigures === true && !isSameView);
        try {
            const answers = await this.#answers(asks, signal);
            const more = panel.follows?.(answers, view, range) ?? []; // what can only be asked once these are known
            if (more.length > 0) answers.push(...await this.#answers(more, signal));
            if (signal.aborted) return;
            keepingPlace(panel.node, isSameView, () => panel.show(answers, view, range));
            Object.assign(panel, { shownFor: search, failure: null, hasFigures: true });
            this.page.onShown(panel);
        } catch (error) {
            if (signal.aborted || error.name === 'AbortError') return;
            this.#fail(panel, error, isSameView);
        } finally {
            if (!signal.aborted) this.#mark(panel, false, false);
        }
    }

    // It shows nothing now.
    #forget(panel) {
        Object.assign(panel, { failure: null, hasFigures: false, shownFor: null });
        this.#mark(panel, false, false);
    }

    #mark(panel, isBusy, isOld) {
        panel.node.classList.toggle('busy', isBusy);
        panel.node.classList.toggle('old', isOld);
        panel.node.setAttribute('aria-busy', String(isBusy));
        if (!isBusy) panel.node.classList.toggle('stale', panel.failure?.passes === true && panel.hasFigures === true);
    }

    #fail(panel, error, isSameView) {
        const failure = error instanceof Failure ? error : new Failure('strange', 'The answer is not what this page understands.');
        if (failure !== error) console.error(error);
        panel.failure = failure;
        if (['unauthorized', 'zone'].includes(failure.kind)) return this.page.onRefused(failure);
        if (failure.passes && panel.hasFigures && isSameView) return; // the last figures of this view stay
        panel.hasFigures = false;
        panel.refuse(failure);
    }
}
