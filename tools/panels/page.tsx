// Draws one dashboard from `window.board`, and says in `window.drawn` when it is done.
import './page.css';

import { createTheme, dateTime } from '@grafana/data';
import { GlobalStyles, Icon, PanelChrome, PortalContainer, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { Board, Panel } from './board';
import { BarGaugePanel, StatPanel, TablePanel, TimeSeriesPanel } from './charts';
import { HeatmapPanel, LogsPanel } from './own';

declare global {
  interface Window {
    board: Board;
    drawn: boolean;
  }
}

const CELL = 30;
const GAP = 8;
const KINDS = {
  stat: StatPanel,
  timeseries: TimeSeriesPanel,
  table: TablePanel,
  bargauge: BarGaugePanel,
  heatmap: HeatmapPanel,
  logs: LogsPanel,
};

function Placed({ panel, width }: { panel: Panel; width: number }) {
  const { x, y, w, h } = panel.gridPos;
  const column = (width + GAP) / 24;
  const place = {
    position: 'absolute' as const,
    left: x * column,
    top: y * (CELL + GAP),
    width: w * column - GAP,
    height: h * (CELL + GAP) - GAP,
  };
  if (panel.type === 'row') {
    return (
      <div className="row" style={place}>
        <Icon name="angle-down" /> {panel.title}
      </div>
    );
  }
  const Kind = KINDS[panel.type];
  return (
    <div className="panel" style={place} data-title={panel.title} data-kind={panel.type}>
      <PanelChrome title={panel.title} description={panel.description} width={place.width} height={place.height}
        padding={panel.type === 'table' ? 'none' : 'md'}>
        {(innerWidth, innerHeight) => (
          <Kind panel={panel} width={innerWidth} height={innerHeight} range={range(window.board)} />
        )}
      </PanelChrome>
    </div>
  );
}

function range(board: Board) {
  const from = dateTime(board.from);
  const to = dateTime(board.to);
  return { from, to, raw: { from, to } };
}

function Page({ board }: { board: Board }) {
  const theme = createTheme({ colors: { mode: board.mode } });
  const bottom = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles hackNoBackdropBlur={true} isExtensionSidebarOpen={false} />
      <div className="page" style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary }}>
        <div className="head">
          <h1>{board.title}</h1>
          <span className="range" style={{ borderColor: theme.colors.border.medium }}>
            <Icon name="clock-nine" /> Last 3 hours <em style={{ color: theme.colors.text.secondary }}>UTC</em>
          </span>
        </div>
        <div className="variables">
          {board.variables.map(({ label, text }) => (
            <span key={label} style={{ borderColor: theme.colors.border.medium }}>
              <b style={{ background: theme.colors.background.secondary }}>{label}</b>
              <i style={{ background: theme.components.input.background }}>{text || '\u00a0'}</i>
            </span>
          ))}
        </div>
        <div style={{ position: 'relative', height: bottom * (CELL + GAP) }}>
          {board.panels.map((panel) => (
            <Placed key={panel.id} panel={panel} width={board.width - 32} />
          ))}
        </div>
      </div>
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

document.fonts.ready.then(() => {
  createRoot(document.getElementById('root')!).render(<Page board={window.board} />);
  setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => (window.drawn = true))), 1500);
});
