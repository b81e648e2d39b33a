// format.js: figures for people. Totals come as strings of decimals, which may be past what a Number holds exactly: they
// stay BigInt until they are rounded for show. Knows no DOM and no time zones.

const grouped = new Intl.NumberFormat('en-GB');

// Figures of three digits: 1.23 GB, 45.6 MB, 789 B.
function scaled(value, units) {
    const number = Number(value);
    let size = Math.abs(number);
    let unit = 0;
    while (size >= 999.5 && unit < units.length - 1) {
        size /= 1000;
        unit++;
    }
    const digits = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
    const text = (unit === 0 && !Number.isInteger(size) ? size.toFixed(1) : size.toFixed(digits)) + units[unit];
    return number < 0 ? `−${text}` : text;
}

export const bytes = (value) => scaled(value, [' B', ' kB', ' MB', ' GB', ' TB', ' PB', ' EB']);
export const count = (value) => scaled(value, ['', ' k', ' M', ' bn', ' tn', ' qd', ' qn']);
export const perSecond = (value) => `${scaled(value, ['', ' k', ' M', ' bn', ' tn', ' qd', ' qn'])}/s`;
export const bitsPerSecond = (value) => scaled(value, [' bit/s', ' kbit/s', ' Mbit/s', ' Gbit/s', ' Tbit/s', ' Pbit/s', ' Ebit/s']);

// Milliseconds: 789 ms, 4.56 s, 12.3 min, 1.23 h; null is not known.
export function duration(value) {
    if (value === null) return '–';
    const [size, unit] = [[3600000, 'h'], [60000, 'min'], [1000, 's']].find(([least]) => Number(value) >= least) ?? [1, 'ms'];
    return scaled(Number(value) / size, [` ${unit}`, ` k${unit}`]).replace(/^(\d+)\.0 /, '$1 ');
}
export const exactDuration = (value) => (value === null ? 'no requests' : `${exact(value)} ms`);
export const isDuration = ({ total_duration_ms: total }) => Number(total ?? 0) > 0; // logs without any say 0

// On an axis: 1.50 GB is 1.5 GB there.
const short = (text) => text.replace(/\.0+(?=\D|$)|(\.\d*?)0+(?=\D|$)/, '$1');
export const axisBytes = (value) => short(bytes(value));
export const axisCount = (value) => short(count(value));
export const axisDuration = (value) => short(duration(value));

export const exact = (value) => grouped.format(BigInt(value));
export const exactBytes = (value) => `${exact(value)} bytes`;

// plural(1, 'domain', 'domains'): "1 domain"
export const plural = (value, one, many) => `${exact(value)} ${Number(value) === 1 ? one : many}`;

// "40 s", "3 min", "2 h", "5 days"
export function ago(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    if (seconds < 100) return `${seconds} s`;
    if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
    if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86400)} days`;
}

// A name that someone else chose, so that it can't look like another: characters that are not seen, or turn the direction
// of what follows, are written out.
export const name = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu,
    (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);

// part of whole: "4.2 %"; "" where there is no whole.
export function percent(part, whole) {
    if (BigInt(whole) === 0n) return '';
    const value = (Number(part) / Number(whole)) * 100;
    if (value === 0) return '0 %';
    if (value < 0.01) return '< 0.01 %';
    return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} %`;
}

// How many of `requests` did not fail, in percent: a number, or null where there were none.
export function successRate(errors, requests) {
    const [failed, all] = [BigInt(errors), BigInt(requests)];
    if (all === 0n) return null;
    return failed >= all ? 0 : Number(((all - failed) * 1000000n) / all) / 10000; // rounded down: 100 only if none failed
}
export const success = (rate) => (rate === null ? '–' : `${(Math.floor(rate * 100 + 1e-6) / 100).toFixed(2).replace(/^100\.00$/, '100')} %`);

// Against a figure of the period before: {text, direction}, or null where nothing can be said.
export function change(now, before) {
    const [a, b] = [Number(now), Number(before)];
    if (a === 0 && b === 0) return null;
    if (b === 0) return { text: 'new', direction: 'up' };
    const value = ((a - b) / b) * 100;
    const size = Math.abs(value);
    if (size < 0.05) return { text: '±0 %', direction: 'same' };
    const text = size >= 100000 ? 'over ×1,000' : size >= 1000 ? `×${count(Math.round(a / b))}` : `${value > 0 ? '+' : '−'}${size.toFixed(size < 10 ? 1 : 0)} %`;
    return { text, direction: value > 0 ? 'up' : 'down' };
}
