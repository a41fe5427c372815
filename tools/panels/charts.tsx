// The panels for which @grafana/ui has a component.
import { DataFrame, FieldType, ThresholdsMode, VizOrientation, getDisplayProcessor } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

import { PanelProps } from './board';
import { prepared } from './frames';

function lastValues(frames: DataFrame[]) {
  return frames.flatMap((frame) =>
    frame.fields
      .filter((field) => field.type === FieldType.number)
      .map((field) => ({ field, value: [...field.values].reverse().find((each) => each != null) }))
  );
}

function Empty({ height }: { height: number }) {
  return <div className="empty" style={{ height, display: 'grid', placeItems: 'center' }}>No data</div>;
}

export function StatPanel({ panel, width, height }: PanelProps) {
  const theme = useTheme2();
  const [found] = lastValues(prepared(panel, theme));
  const display = found
    ? found.field.display!(found.value)
    : { text: panel.fieldConfig.defaults.noValue ?? 'No data', numeric: NaN, color: theme.colors.text.secondary };
  const { colorMode, graphMode, justifyMode, textMode } = panel.options;
  return (
    <BigValue value={display} width={width} height={height} theme={theme} colorMode={colorMode}
      graphMode={graphMode} justifyMode={justifyMode} textMode={textMode} />
  );
}

export function TimeSeriesPanel({ panel, width, height, range }: PanelProps) {
  const frames = prepared(panel, useTheme2());
  if (!frames.length) {
    return <Empty height={height} />;
  }
  return (
    <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc"
      legend={panel.options.legend} options={panel.options} />
  );
}

export function TablePanel({ panel, width, height }: PanelProps) {
  const [frame] = prepared(panel, useTheme2());
  if (!frame?.length) {
    return <Empty height={height} />;
  }
  return (
    <div style={{ width, height }}>
      <TableNG data={frame} width={width} height={height} cellHeight={panel.options?.cellHeight}
        sortBy={panel.options?.sortBy} showTypeIcons={panel.options?.showTypeIcons}
        fieldConfig={{ defaults: panel.fieldConfig.defaults, overrides: [] }} />
    </div>
  );
}

export function BarGaugePanel({ panel, width, height }: PanelProps) {
  const theme = useTheme2();
  const frames = prepared(panel, theme);
  const all = lastValues(frames);
  const max = Math.max(1, ...all.map(({ value }) => value));
  const values = all.map(({ field, value }) => {
    field.config = { ...field.config, min: 0, max, thresholds: { ...field.config.thresholds!, mode: ThresholdsMode.Absolute } };
    const display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    return { field, display, value: { ...display(value), title: field.state!.displayName! } };
  });
  return (
    <VizRepeater width={width} height={height} orientation={VizOrientation.Horizontal} itemSpacing={8}
      minVizHeight={panel.options.minVizHeight} maxVizHeight={panel.options.maxVizHeight}
      autoGrid={false} getValues={() => values} source={values} renderCounter={0}
      renderValue={({ value: { field, display, value }, width, height }) => (
        <BarGauge width={width} height={height} theme={theme} field={field.config} display={display} value={value}
          orientation={VizOrientation.Horizontal} displayMode={panel.options.displayMode}
          valueDisplayMode={panel.options.valueMode} showUnfilled={panel.options.showUnfilled}
          namePlacement={panel.options.namePlacement} />
      )} />
  );
}
