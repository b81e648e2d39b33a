// ranges.js: which instants a view means, which earlier ones it is compared with, and which come before and after it. Knows
// clocks and calendars. Knows no DOM, no URL and no filter.

import { DAY, HOUR, MINUTE, addMonths, boundText, startOfDay, startOfMonth, toInstant, toWall } from './zone.js';

export const RANGES = {
    '15m': '15 min', '1h': '1 hour', today: 'Today', yesterday: 'Yesterday', '24h': '24 hours', '7d': '7 days', '30d': '30 days',
    month: 'This month', lastmonth: 'Last month', custom: 'Custom',
};
export const COMPARISONS = { previous: 'Previous period', weekday: 'Same weekdays', off: 'Off' };
const LIVE = ['15m', '1h'];
export const isByTheMinute = (view) => LIVE.includes(view.range);

// Why a range can't be asked for, or "".
export function rangeFault(from, to, zone) {
    if (from === null || to === null) return 'Enter both dates.';
    if (from >= to) return 'The end must be after the start.';
    if (toWall(to, zone) > addMonths(toWall(from, zone), 2)) return 'Choose at most two months.';
    return '';
}

// ---- the instants of a view. Up to the end of the running minute, quarter-hour, hour or day, so that the newest logs are
// in it and the same question is asked for a while (and answered from the browser's cache).

const next = (wall, step) => Math.floor(wall / step + 1) * step;

function ownBounds(view, now) {
    if (view.range === 'custom') return [view.from, view.to];
    const wall = toWall(now, view.zone);
    const there = (other) => toInstant(other, view.zone);
    const ahead = (step) => Math.floor(now / 1000) * 1000 + next(wall, step) - wall;
    const tomorrow = startOfDay(wall) + DAY;
    switch (view.range) {
    case '15m': return [ahead(MINUTE) - 15 * MINUTE, ahead(MINUTE)];
    case '1h': return [ahead(MINUTE) - HOUR, ahead(MINUTE)];
    case 'today': return [there(startOfDay(wall)), ahead(15 * MINUTE)];
    case 'yesterday': return [there(startOfDay(wall) - DAY), there(startOfDay(wall))];
    case '7d': return [ahead(HOUR) - 7 * DAY, ahead(HOUR)];
    case '30d': return [there(tomorrow - 30 * DAY), there(tomorrow)];
    case 'month': return [there(startOfMonth(wall)), there(tomorrow)];
    case 'lastmonth': return [there(addMonths(startOfMonth(wall), -1)), there(startOfMonth(wall))];
    default: return [ahead(15 * MINUTE) - DAY, ahead(15 * MINUTE)];
    }
}

// ---- periods: what one step back or ahead is, in the calendar's own units where the range is made of them

const isStartOfDay = (instant, zone) => toWall(instant, zone) % DAY === 0 && toInstant(toWall(instant, zone), zone) === instant;
const daysBetween = (from, to, zone) => Math.round((toWall(to, zone) - toWall(from, zone)) / DAY);

function isMonth(from, to, zone) {
    const [begin, end] = [toWall(from, zone), toWall(to, zone)];
    return isStartOfDay(from, zone) && begin === startOfMonth(begin) && end === addMonths(begin, 1);
}

// move(instant, steps), and how long a step is.
function stepOf(view, from, to) {
    const { zone } = view;
    const byWall = (change) => (instant, steps) => toInstant(change(toWall(instant, zone), steps), zone);
    const byDays = (days) => byWall((wall, steps) => wall + steps * days * DAY);
    if (view.range === 'month' || isMonth(from, to, zone)) return byWall(addMonths);
    if (view.range === 'today') return byDays(1);
    if (view.range === '7d') return byDays(7);
    if (isStartOfDay(from, zone) && isStartOfDay(to, zone)) return byDays(daysBetween(from, to, zone));
    return (instant, steps) => instant + steps * (to - from);
}

function sameWeekdays(view, from, to) {
    const weeks = Math.ceil((toWall(to, view.zone) - toWall(from, view.zone)) / (7 * DAY));
    return (instant, steps) => toInstant(toWall(instant, view.zone) + steps * weeks * 7 * DAY, view.zone);
}

// No longer than may be asked for.
function earliestBefore(end, zone) {
    const wall = toWall(end, zone);
    let earliest = addMonths(wall, -2);
    while (addMonths(earliest, 2) < wall) earliest += DAY;
    return toInstant(earliest, zone);
}

// What it is compared with: {from, to} is drawn; a range that is not over yet is compared with as much of the one before as
// has passed (until). Null where there is nothing to compare.
function boundsBefore(view, from, to, now) {
    if (view.compare === 'off' || from >= now) return null;
    const move = view.compare === 'weekday' ? sameWeekdays(view, from, to) : stepOf(view, from, to);
    const end = Math.min(move(to, -1), from);
    const begin = Math.max(move(from, -1), earliestBefore(end, view.zone));
    const until = Math.min(move(Math.min(to, Math.max(now, from + 1000)), -1), end);
    return { from: begin, to: end, until: Math.max(until, begin + 1000), isCut: begin > move(from, -1) };
}

export function bounds(view, now) {
    const [from, to] = ownBounds(view, now);
    return { from, to, now, before: boundsBefore(view, from, to, now), isLive: to > now };
}

// Today and this month to their ends, which lie ahead.
function wholeBounds(view, now) {
    const [from, to] = ownBounds(view, now);
    const wall = toWall(from, view.zone);
    if (view.range === 'today') return [from, toInstant(wall + DAY, view.zone)];
    return view.range === 'month' ? [from, toInstant(addMonths(wall, 1), view.zone)] : [from, to];
}

// ‹ and ›: what is to change in the view to see the period before or after; null where that has not begun.
export function neighbour(view, now, steps) {
    const bound = wholeBounds(view, now);
    const move = stepOf(view, ...bound);
    const [from, to] = bound.map((instant) => move(instant, steps));
    if (from >= now || from < 0) return null;
    const named = ['today', 'yesterday', 'month', 'lastmonth'].find((range) => {
        const whole = wholeBounds({ ...view, range }, now);
        return whole[0] === from && whole[1] === to;
    });
    return named ? { range: named, from: null, to: null } : { range: 'custom', from, to };
}

// ---- what the API is asked

export const boundParameters = (view, from, to) => ({
    from: boundText(from, view.zone), to: boundText(to, view.zone), timezone: view.zone,
});

// How wide the buckets are: as the API chooses, but finer where that would be one or a few.
export function granularityOf({ from, to }, zone) {
    const length = toWall(to, zone) - toWall(from, zone);
    if (length <= HOUR) return '1m';
    if (length <= 2 * HOUR) return '5m';
    return length <= DAY ? '15m' : length <= 7 * DAY ? 'hour' : 'day';
}
