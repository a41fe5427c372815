// The panels for which @grafana/ui has no component: drawn here, in Grafana's colours.
import { dateTimeFormat } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';

import { PanelProps } from './board';

const BOTTOM = 52;

export function HeatmapPanel({ panel, width, height, range }: PanelProps) {
  const theme = useTheme2();
  const left = panel.options.yAxis.axisWidth;
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const rows = panel.frames.map((frame) => ({
    name: String(frame.fields[1].config!.displayNameFromDS),
    times: frame.fields[0].values as number[],
    values: frame.fields[1].values as Array<number | null>,
  }));
  const most = Math.max(1, ...rows.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const cell = (height - BOTTOM) / rows.length;
  const x = (time: number) => left + ((time - from) / (to - from)) * (width - left);
  const column = Math.max(2, x(from + panel.step * 1000) - x(from) - 1);
  const colour = (share: number) => interpolateOranges(theme.isDark ? 1 - share : share);
  const ticks = Array.from({ length: 7 }, (_, at) => from + ((to - from) / 6) * at);
  return (
    <svg width={width} height={height} fontSize={12} fontFamily={theme.typography.fontFamily} fill={theme.colors.text.primary}>
      {rows.map(({ name, times, values }, at) => {
        const y = height - BOTTOM - (at + 1) * cell;
        return (
          <g key={name}>
            <line x1={left} x2={width} y1={y + cell} y2={y + cell} stroke={theme.colors.border.weak} />
            <text x={left - 8} y={y + cell / 2} textAnchor="end" dominantBaseline="central">{name}</text>
            {values.map((value, point) =>
              value ? (
                <rect key={point} x={x(times[point]) - column} y={y + 1} width={column} height={cell - 1} fill={colour(value / most)} />
              ) : null
            )}
          </g>
        );
      })}
      {ticks.map((time, at) => (
        <text key={time} x={x(time)} y={height - BOTTOM + 16} textAnchor={at === 6 ? 'end' : 'middle'}>
          {dateTimeFormat(time, { format: 'HH:mm', timeZone: 'utc' })}
        </text>
      ))}
      {Array.from({ length: 32 }, (_, at) => (
        <rect key={at} x={left + at * 6} y={height - 22} width={6} height={8} fill={colour(at / 31)} />
      ))}
      <text x={left} y={height - 2} fontSize={11}>1</text>
      <text x={left + 192} y={height - 2} fontSize={11} textAnchor="end">{most}</text>
    </svg>
  );
}

export function LogsPanel({ panel }: PanelProps) {
  const theme = useTheme2();
  const [times, lines] = panel.frames[0]?.fields.map(({ values }) => values as unknown[]) ?? [[], []];
  return (
    <div className="logs">
      {times.map((time, at) => (
        <div key={at}>
          <s style={{ background: theme.colors.warning.main }} />
          <span style={{ color: theme.colors.text.secondary }}>
            {dateTimeFormat(time as number, { format: 'YYYY-MM-DD HH:mm:ss.SSS', timeZone: 'utc' })}
          </span>
          <span>{String(lines[at])}</span>
        </div>
      ))}
    </div>
  );
}
