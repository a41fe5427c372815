import { DataFrameDTO, FieldConfig, TimeRange } from '@grafana/data';

export interface Panel {
  id: number;
  type: 'row' | 'stat' | 'timeseries' | 'table' | 'bargauge' | 'heatmap' | 'logs';
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: FieldConfig; overrides: Override[] };
  options?: Record<string, any>;
  frames: DataFrameDTO[];
  step: number;
}

export interface Override {
  matcher: { id: string; options: string };
  properties: Array<{ id: string; value: unknown }>;
}

export interface Board {
  title: string;
  mode: 'light' | 'dark';
  width: number;
  from: number;
  to: number;
  variables: Array<{ label: string; text: string }>;
  panels: Panel[];
}

export interface PanelProps {
  panel: Panel;
  width: number;
  height: number;
  range: TimeRange;
}
