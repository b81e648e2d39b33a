// api.js: asks the API, and says in plain words what went wrong. The key goes into a header, never into a URL. Knows HTTP.
// Knows no DOM.

const PATIENCE_MS = 30000; // the service ends a report after 10 seconds
const CSV_PATIENCE_MS = 600000; // a long list comes in pieces
let key = null;

export function useKey(value) {
    key = value;
}

export const isKey = (text) => /^[\x21-\x7e]{1,128}$/.test(text);

// kind: unauthorized, forbidden, invalid, zone, missing, pruned, strange, slow, busy (try again after retryAfter seconds), down
export class Failure extends Error {
    constructor(kind, message, retryAfter = 0) {
        super(message);
        this.kind = kind;
        this.retryAfter = retryAfter;
    }
    get passes() { // by itself, so that trying again makes sense
        return this.kind === 'busy' || this.kind === 'down';
    }
}

async function failureOf(response) {
    const body = await response.json().catch(() => ({}));
    const detail = typeof body.detail === 'string' ? body.detail : '';
    const after = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
    const seconds = Math.min(Math.max(Number.isNaN(after) ? 1 : after, 1), 300);
    switch (response.status) {
    case 401: return new Failure('unauthorized', 'This key doesn’t work. Check it, or ask for a new one.');
    case 403: return new Failure('forbidden', `This key may not see this${detail && `: ${detail}`}.`);
    case 404: return new Failure('missing', 'This service does not have this report. It may be of an older version.');
    case 429: return new Failure('busy', 'Too many requests with this key.', seconds);
    }
    if (body.message === 'analytics.timezone_invalid') return new Failure('zone', 'The service does not know this time zone.');
    if (body.message === 'analytics.query_timeout') {
        return new Failure('slow', 'This took over 10 seconds and was ended. Choose a shorter range, or a filter.');
    }
    if (body.message === 'analytics.logs_pruned') return new Failure('pruned', `Single logs are not kept so far back: ${detail}`);
    if (response.status >= 500) return new Failure('busy', `The service can’t answer right now (${response.status}).`, seconds);
    return new Failure('invalid', `The service refused this: ${detail || body.message || response.status}`);
}

async function ask(path, parameters, signal, read, { patience = PATIENCE_MS, method = 'GET' } = {}) {
    const stop = new AbortController();
    const onAbort = () => stop.abort();
    signal?.addEventListener('abort', onAbort);
    const timer = setTimeout(onAbort, patience);
    try {
        signal?.throwIfAborted();
        const response = await fetch(`../${path}?${new URLSearchParams(parameters)}`, {
            method, headers: { 'x-api-key': key ?? '' }, credentials: 'omit', signal: stop.signal,
        });
        if (!response.ok) throw await failureOf(response);
        return await read(response);
    } catch (error) {
        if (signal?.aborted) throw new DOMException('The view has changed', 'AbortError');
        if (error instanceof Failure) throw error;
        throw new Failure('down', 'The service can’t be reached.');
    } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
    }
}

export const get = (path, parameters, signal) => ask(path, parameters, signal, (response) => response.json());

export const post = (path, parameters) => ask(path, parameters, undefined, (response) => response.json(), { method: 'POST' });

// {role, user_id, key, …} of the key in use.
export const whoAmI = () => get('whoami', {});

// A whole list as CSV, however long: a Blob, whose first column is called `first` where that is given.
export async function getCsv(path, parameters, first) {
    const blob = await ask(path, { ...parameters, format: 'csv' }, undefined, (response) => {
        if ((response.headers.get('Content-Type') ?? '').includes('csv')) return response.blob();
        throw new Failure('missing', 'This service does not make CSV. It may be of an older version.');
    }, { patience: CSV_PATIENCE_MS });
    if (!first) return blob;
    const head = await blob.slice(0, 1024).text();
    return new Blob([first, blob.slice(head.search(/[,\r]/))], { type: 'text/csv' });
}
