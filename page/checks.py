"""Questions in JavaScript, and answers made hostile."""

# Finds cells of the matrix by the names of their row and column, and the names of a place.
FINDERS = """
var namesShown = () => [...document.querySelectorAll('#field tbody th')].map(e => e.textContent);
var cellOf = (from, to) => { const all = namesShown(), rows = document.querySelectorAll('#field tbody tr');
  return rows[all.indexOf(from)]?.querySelectorAll('td')[all.indexOf(to)]; };
var nameOf = (at) => at && namesShown()[at[0]] + ' ' + namesShown()[at[1]];
true
"""

# How long the page was busy without a pause, from now on.
LONG_TASKS = """
var longTasks = [];
new PerformanceObserver(list => longTasks.push(...list.getEntries().map(e => e.duration)))
  .observe({ type: 'longtask' });
true
"""

# The lowest contrast of any text with what is behind it, as WCAG reckons it.
CONTRAST = r"""
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const light = (c) => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { const layers = []; for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
  let worst = { ratio: 99, where: '', ground: getComputedStyle(document.body).backgroundColor };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, style = getComputedStyle(e);
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || ['SCRIPT', 'STYLE'].includes(e.tagName)) continue;
    const ground = behind(e), ink = over(rgba(style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ...worst, ratio: Math.round(ratio * 100) / 100, where: `${e.tagName}.${e.className} '${walker.currentNode.textContent.trim().slice(0, 40)}' ${style.color}` };
  }
  return worst;
})()
"""

# What a page computes with or looks up; all else is text to be shown.
PLAIN = {"at", "first", "last", "applied", "found", "started", "stopped", "finished", "lastRefused",
         "state", "kind", "direction", "layer", "next", "applyMilliseconds"}


def strings_twisted(hostile):
    """What makes every string of an answer hostile, different ones differently."""
    def twist(value, key=None):
        if isinstance(value, dict):
            return {(hostile + name if key == "files" else name): twist(one, name)
                    for name, one in value.items()}
        if isinstance(value, list):
            return [twist(one, key) for one in value]
        if isinstance(value, str) and key not in PLAIN:
            return hostile + value
        return value
    return twist
