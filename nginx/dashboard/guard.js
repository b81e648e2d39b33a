// guard.js: a page that can't start says so, and what to do: a file that is missing, a browser that is too old, an error of
// ours. Runs before all modules and shares nothing with them. Knows nothing else.
'use strict';
{
    const root = document.documentElement;
    const say = (why) => {
        if (root.dataset.started) return;
        const box = document.getElementById('startup');
        if (!box) return addEventListener('DOMContentLoaded', () => say(why), { once: true });
        box.hidden = false;
        document.getElementById('startup-why').textContent = String(why).slice(0, 300);
    };
    addEventListener('error', ({ target, message }) => {
        if (target instanceof HTMLScriptElement && target.id !== 'chart-js') say(`${target.getAttribute('src')} can’t be loaded`);
        else if (message) say(message);
    }, true);
    addEventListener('unhandledrejection', ({ reason }) => say(reason?.message ?? reason));
}
