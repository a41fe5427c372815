// What Grafana does with frames between the data source and the panel.
import { DataFrame, Field, FieldConfig, FieldType, GrafanaTheme2, getDisplayProcessor, toDataFrame } from '@grafana/data';

import { Override, Panel } from './board';

const CUSTOM = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  spanNulls: false,
  insertNulls: false,
  showPoints: 'auto',
  pointSize: 5,
  barAlignment: 0,
  barWidthFactor: 0.6,
  axisPlacement: 'auto',
  axisColorMode: 'text',
  axisLabel: '',
  scaleDistribution: { type: 'linear' },
  stacking: { mode: 'none', group: 'A' },
  thresholdsStyle: { mode: 'off' },
  hideFrom: { legend: false, tooltip: false, viz: false },
};
const GREEN = { mode: 'absolute', steps: [{ color: 'green', value: -Infinity }] };

export function prepared(panel: Panel, theme: GrafanaTheme2): DataFrame[] {
  const { defaults, overrides } = panel.fieldConfig;
  let index = 0;
  return panel.frames.map((dto) => {
    const frame = toDataFrame(dto);
    for (const field of frame.fields) {
      if (field.type !== FieldType.time) {
        field.config = { thresholds: GREEN, ...defaults, ...field.config } as FieldConfig;
      }
      field.config.custom = {
        ...(panel.type === 'table' ? {} : CUSTOM),
        ...defaults.custom,
        ...field.config.custom,
      };
      field.config.thresholds?.steps.forEach((step) => (step.value ??= -Infinity));
      const palette = panel.type === 'timeseries' ? 'palette-classic' : 'thresholds';
      field.config.color = { mode: palette, ...defaults.color } as FieldConfig['color'];
      overrides.filter((override) => meets(override, field)).forEach((override) => apply(override, field));
      field.state = { seriesIndex: field.type === FieldType.number ? index++ : 0, displayName: name(field) };
      field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    }
    return frame;
  });
}

function name(field: Field): string {
  return field.config.displayName ?? field.config.displayNameFromDS ?? field.name;
}

function meets({ matcher }: Override, field: Field): boolean {
  if (matcher.id === 'byRegexp') {
    const flags = matcher.options.startsWith('(?i)') ? 'i' : '';
    return new RegExp(matcher.options.replace('(?i)', ''), flags).test(field.name);
  }
  return [field.name, name(field)].includes(matcher.options);
}

function apply({ properties }: Override, field: Field) {
  for (const { id, value } of properties) {
    if (id.startsWith('custom.')) {
      field.config.custom = { ...field.config.custom, [id.slice(7)]: value };
    } else if (id !== 'links') {
      (field.config as Record<string, unknown>)[id] = value;
    }
  }
}
