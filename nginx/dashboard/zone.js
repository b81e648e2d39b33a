// zone.js: times in a zone. A "wall" is what a clock on the wall there shows, as the milliseconds that Date.UTC gives for
// it; an instant is milliseconds since 1970 UTC. Knows no DOM and no URL.

const formats = new Map();
function format(zone) {
    if (!formats.has(zone)) {
        formats.set(zone, new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
            timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
            hour: 'numeric', minute: 'numeric', second: 'numeric',
        }));
    }
    return formats.get(zone);
}

export function isZone(zone) {
    try {
        format(zone);
        return true;
    } catch {
        return false;
    }
}

// Some browsers list cities by names that they no longer have.
const RENAMED = {
    'Asia/Calcutta': 'Asia/Kolkata', 'Asia/Katmandu': 'Asia/Kathmandu', 'Asia/Rangoon': 'Asia/Yangon',
    'Asia/Saigon': 'Asia/Ho_Chi_Minh', 'Europe/Kiev': 'Europe/Kyiv',
};
const todaysName = (zone) => (RENAMED[zone] && isZone(RENAMED[zone]) ? RENAMED[zone] : zone);

export function zones() {
    const all = Intl.supportedValuesOf ? Intl.supportedValuesOf('timeZone') : [];
    return [...new Set(['UTC', ...all.map(todaysName).sort()])];
}

// Null where the browser names one that it does not know itself.
export function ownZone() {
    const zone = todaysName(Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
    return isZone(zone) ? zone : null;
}

export function toWall(instant, zone) {
    const part = {};
    for (const { type, value } of format(zone).formatToParts(instant)) part[type] = Number(value);
    return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
}

const offset = (instant, zone) => toWall(instant, zone) - Math.floor(instant / 1000) * 1000;

// Where the clock shows that time twice, the first; where it skips it, as much later as it skips.
export function toInstant(wall, zone) {
    const before = wall - offset(wall - DAY, zone);
    if (toWall(before, zone) === wall) return before;
    const after = wall - offset(wall + DAY, zone);
    return toWall(after, zone) === wall ? after : before;
}

export const MINUTE = 60000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const startOfDay = (wall) => Math.floor(wall / DAY) * DAY;
export const startOfMonth = (wall) => {
    const date = new Date(wall);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
};

// A day that the month lacks becomes its last, as the API counts months.
export function addMonths(wall, months) {
    const date = new Date(wall);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + months];
    const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    return Date.UTC(year, month, Math.min(date.getUTCDate(), last)) + (wall - startOfDay(wall));
}

// "2026-03-15T10:15" (or with seconds, where there are any)
export function wallText(wall) {
    const text = new Date(wall).toISOString();
    return text.slice(17, 19) === '00' ? text.slice(0, 16) : text.slice(0, 19);
}

// "2026-03-15T10:15" where a clock of the zone shows that once; with an offset where it would be taken for another instant.
export function boundText(instant, zone) {
    const wall = toWall(instant, zone);
    if (toInstant(wall, zone) === Math.floor(instant / 1000) * 1000) return wallText(wall);
    const minutes = Math.round((wall - Math.floor(instant / 1000) * 1000) / MINUTE);
    const two = (value) => String(Math.floor(value)).padStart(2, '0');
    const size = Math.abs(minutes);
    return `${new Date(wall).toISOString().slice(0, 19)}${minutes < 0 ? '-' : '+'}${two(size / 60)}:${two(size % 60)}`;
}

// "2026-03-15 10:15:00", as the API prints a time, to a wall.
export const parseWall = (text) => Date.parse(`${text.replace(' ', 'T')}Z`);

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
export const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

export const clock = (wall) => new Date(wall).toISOString().slice(11, 16);
export const dayName = (wall) => `${new Date(wall).getUTCDate()} ${MONTHS[new Date(wall).getUTCMonth()]}`;
export const weekdayName = (wall) => `${WEEKDAYS[new Date(wall).getUTCDay()]} ${dayName(wall)}`;
export const dateName = (wall) => `${dayName(wall)} ${new Date(wall).getUTCFullYear()}`;

// "15 Mar 2026", "15 Mar 2026 – 20 Mar 2026", "15 Mar 2026, 10:00 – 11:00": from one wall to before another. `names` are
// what the clocks are called at both ends, where a clock shows the same time twice (twiceName).
export function spanName(from, to, names = ['', '']) {
    const whole = from % DAY === 0 && to % DAY === 0;
    const last = whole ? to - DAY : to;
    if (whole && last === from) return dateName(from);
    if (whole && to > from) return `${dateName(from)} – ${dateName(last)}`;
    const [begin, end] = [from, to].map((wall, i) => clock(wall) + (names[i] && ` ${names[i]}`));
    if (startOfDay(from) === startOfDay(to - 1) || from === to) return `${dateName(from)}, ${begin} – ${end}`;
    return `${dateName(from)}, ${begin} – ${dateName(to)}, ${end}`;
}

// The same between two instants of a zone.
export const instantsName = (from, to, zone) =>
    spanName(toWall(from, zone), toWall(to, zone), [twiceName(from, zone), twiceName(to, zone)]);

// What the zone's clocks are called at that instant ("EET", "GMT+2"), if they show the same time at another one too, when
// summer time ends; else "".
export function twiceName(instant, zone) {
    const wall = toWall(instant, zone);
    const isTwice = [HOUR, -HOUR, HOUR / 2, -HOUR / 2].some((shift) => toWall(instant + shift, zone) === wall);
    return isTwice ? shortName(instant, zone) : '';
}

function shortName(instant, zone) {
    const names = ['en-GB', 'en-US'].map((locale) => new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'short' })
        .formatToParts(instant).find(({ type }) => type === 'timeZoneName').value);
    return names.find((name) => !/^(GMT|UTC)[+-]/.test(name)) ?? names[0];
}

// The first and the last day of a range, "2026-03-15", if it is made of whole days; else null.
export function wholeDays(from, to, zone) {
    const [begin, end] = [toWall(from, zone), toWall(to, zone)];
    const isWhole = begin % DAY === 0 && end % DAY === 0 && toInstant(begin, zone) === from && toInstant(end, zone) === to;
    return isWhole ? [begin, end - DAY].map((wall) => wallText(wall).slice(0, 10)) : null;
}

// "UTC+05:30"
export function offsetName(instant, zone) {
    const minutes = Math.round(offset(instant, zone) / MINUTE);
    const two = (value) => String(Math.floor(value)).padStart(2, '0');
    return `UTC${minutes < 0 ? '−' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}
