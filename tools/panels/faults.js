// Panels that draw nothing, and their texts that do not fit where they stand.
(allowed) => {
  const found = [];
  for (const panel of document.querySelectorAll('.panel')) {
    const said = (what, element) => found.push(`${panel.dataset.title}: ${what}: ${element.textContent.slice(0, 80)}`);
    const seen = [...panel.querySelectorAll('*')].filter((element) => element.clientWidth > 1);
    for (const element of seen) {
      const style = getComputedStyle(element);
      const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      if (!allowed.includes(panel.dataset.title) && text && element.scrollWidth > element.clientWidth + 1 && style.overflowX !== 'visible') {
        said('cut off', element);
      }
    }
    for (const legend of panel.dataset.kind === 'timeseries' ? seen : []) {
      if (legend.scrollHeight > legend.clientHeight + 1 && getComputedStyle(legend).overflowY !== 'visible') {
        said('has to be scrolled', legend);
      }
    }
    for (const text of panel.querySelectorAll('svg text')) {
      const { left, right } = text.getBoundingClientRect();
      const box = panel.getBoundingClientRect();
      if (left < box.left || right > box.right) {
        said('cut off', text);
      }
    }
    const marks = { timeseries: 'canvas', table: '[role=gridcell]', heatmap: 'rect', logs: '.logs div' };
    const mark = marks[panel.dataset.kind];
    if (mark && !panel.querySelector(mark)) {
      said('nothing is drawn', panel);
    }
  }
  return found;
}
