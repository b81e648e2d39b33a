// filters.js: by what a view can be narrowed: the recorded fields, what they are called in a URL, by the API and by people,
// and what each may hold. Knows no DOM and no view.

import { name } from './format.js';

// mayBeEmpty: "" asks for logs without a value. inRollups: answered without single logs.
export const FIELDS = {
    domain: { label: 'Domain', words: ['domain', 'domains'], parameter: 'domain', most: 253, mayBeEmpty: true },
    error: { label: 'Error', words: ['error', 'errors'], parameter: 'error', most: 256 },
    order: { label: 'Order', words: ['order', 'orders'], parameter: 'orderId', isId: true },
    user: { label: 'User', words: ['user', 'users'], parameter: 'userId', isId: true },
    worker: { label: 'Worker', words: ['worker', 'workers'], parameter: 'worker', most: 128, mayBeEmpty: true },
    peer: { label: 'Exit node', words: ['exit node', 'exit nodes'], parameter: 'peer', most: 128, mayBeEmpty: true },
    protocol: { label: 'Protocol', words: ['protocol', 'protocols'], parameter: 'protocol', most: 32, mayBeEmpty: true },
    port: { label: 'Port', words: ['port', 'ports'], parameter: 'port', isPort: true },
    ip_out: { label: 'Exit IP', words: ['exit IP', 'exit IPs'], parameter: 'ip_out', most: 45, mayBeEmpty: true },
    ip_from: { label: 'Client IP', words: ['client IP', 'client IPs'], parameter: 'ip_from', most: 45, mayBeEmpty: true },
};
export const NOBODY = '(none)';

// What a value is called, where it stands for a filter.
export const valueName = (value) => (value === '' ? NOBODY : name(value));

const ID = /^[1-9][0-9]{0,15}$/;
const isId = (text) => ID.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER;
const isPort = (text) => /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65535;

// Why a field can't hold that, or "".
export function fieldFault(key, text) {
    const field = FIELDS[key];
    if (field.isId && !isId(text)) return `${field.label} must be a number, such as 42.`;
    if (field.isPort && !isPort(text)) return 'Port must be a number from 0 to 65535.';
    if (text === '' && !field.mayBeEmpty) return `${field.label} must not be empty.`;
    return '';
}

// As a person types or pastes it, to what is asked for: of a URL its host.
export function tidy(key, text) {
    const value = text.trim();
    if (value === NOBODY && FIELDS[key].mayBeEmpty) return '';
    if (key !== 'domain') return value;
    const url = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(value);
    return (url ? url[1] : value).replace(/^([^:]*):\d+$/, '$1').replace(/\.+$/, '').toLowerCase();
}
