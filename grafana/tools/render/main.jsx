// Turns a dashboard file (classic JSON model) into a scene and draws it. The
// outcome of each panel is left in window.renderState for render.mjs.
import { Component } from 'react';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { LoadingState, ThemeContext } from '@grafana/data';
import { setPluginImportUtils } from '@grafana/runtime';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import {
  ConstantVariable, CustomVariable, DataSourceVariable, EmbeddedScene, IntervalVariable, QueryVariable, SceneDataTransformer,
  SceneObjectBase, SceneGridItem, SceneGridLayout, SceneQueryRunner, SceneTimeRange, SceneVariableSet, TextBoxVariable, VariableValueSelectors,
  VizPanel, sceneGraph,
} from '@grafana/scenes';
import { installHost } from './host.js';
import { plugins } from './panels.jsx';

const state = window.renderState;
const theme = installHost(plugins, setPluginImportUtils);
const board = await (await fetch('/dashboard.json')).json();
const { from, to } = await (await fetch('/range.json')).json();

function variable(v) {
  const base = { name: v.name, label: v.label, hide: v.hide, skipUrlSync: true };
  const list = { ...base, isMulti: !!v.multi, includeAll: !!v.includeAll, allValue: v.allValue, defaultToAll: !!v.includeAll };
  switch (v.type) {
    case 'datasource': return new DataSourceVariable({ ...base, pluginId: v.query });
    case 'query': return new QueryVariable({ ...list, query: v.query, datasource: { uid: 'prometheus' }, regex: v.regex, sort: v.sort });
    case 'custom': return new CustomVariable({ ...list, query: v.query });
    case 'interval': return new IntervalVariable({ ...base, intervals: String(v.query).split(','), value: v.current?.value });
    case 'constant': return new ConstantVariable({ ...base, value: v.query });
    case 'textbox': return new TextBoxVariable({ ...base, value: v.query });
    default: state.errors.push(`variable ${v.name}: type ${v.type} is not handled here`); return null;
  }
}

class Heading extends SceneObjectBase {
  static Component = ({ model }) => <h4 style={{ margin: 0, paddingTop: 12, fontWeight: 500 }}>{model.useState().title}</h4>;
}

const list = (board.panels ?? []).flatMap((p) => (p.type === 'row' ? [p, ...(p.panels ?? [])] : [p]));
const asked = (p) => (p.targets ?? []).map((t) => t.query).filter(Boolean).join('\n\n');
const watched = [];
const children = list.map((p) => {
  const place = { x: p.gridPos.x ?? 0, y: p.gridPos.y ?? 0, width: p.gridPos.w, height: p.gridPos.h };
  if (p.type === 'row') {
    return new SceneGridItem({ ...place, body: new Heading({ title: p.title }) });
  }
  const entry = { title: p.title ?? '', type: p.type, result: 'pending', series: 0, error: null };
  state.panels.push(entry);
  const source = p.datasource?.type ?? p.targets?.[0]?.datasource?.type ?? 'prometheus';
  const known = plugins[p.type] && source === 'prometheus';
  let data;
  if (!known) {
    entry.result = 'not drawn here';
    entry.error = plugins[p.type] ? `data source ${source}` : `panel type ${p.type}`;
  } else if (p.type === 'text') {
    entry.result = 'drawn';
  } else {
    data = new SceneQueryRunner({ datasource: { uid: 'prometheus', type: 'prometheus' }, queries: p.targets ?? [], maxDataPoints: p.maxDataPoints ?? 250, minInterval: p.interval });
    if (p.transformations?.length) {
      data = new SceneDataTransformer({ $data: data, transformations: p.transformations });
    }
    watched.push([entry, data]);
  }
  return new SceneGridItem({
    ...place,
    $timeRange: p.timeFrom ? new SceneTimeRange({ from: p.timeFrom.startsWith('now') ? p.timeFrom : `now-${p.timeFrom}`, to: 'now', timeZone: 'utc' }) : undefined,
    body: new VizPanel({
      title: p.title, description: p.description, pluginId: known ? p.type : 'text',
      options: known ? p.options ?? {} : { content: `Not drawn here (${entry.error}). It asks:\n\n${asked(p)}` },
      fieldConfig: known ? p.fieldConfig ?? { defaults: {}, overrides: [] } : { defaults: {}, overrides: [] },
      $data: data,
    }),
  });
});

const scene = new EmbeddedScene({
  $timeRange: new SceneTimeRange({ from, to, timeZone: 'utc' }),
  $variables: new SceneVariableSet({ variables: (board.templating?.list ?? []).map(variable).filter(Boolean) }),
  controls: [new VariableValueSelectors({})],
  body: new SceneGridLayout({ children }),
});

for (const [entry, data] of watched) {
  const take = ({ data: d }) => {
    if (!d || d.state === LoadingState.Loading || d.state === LoadingState.NotStarted) {
      return;
    }
    entry.series = d.series.length;
    entry.error = d.state === LoadingState.Error ? d.errors?.[0]?.message ?? 'query failed' : null;
    entry.result = entry.error ? 'error' : d.series.length ? 'drawn' : 'no data';
  };
  data.subscribeToState(take);
}
const check = setInterval(() => {
  if (state.panels.every((p) => p.result !== 'pending')) {
    clearInterval(check);
    state.variables = sceneGraph.getVariables(scene).state.variables.map((v) => ({ name: v.state.name, value: plain(v.getValue()), error: v.state.error ?? null }));
    setTimeout(() => { state.done = true; }, 700);
  }
}, 100);

const plain = (value) => (value?.formatter ? value.formatter() : value);

class Guard extends Component {
  state = {};
  static getDerivedStateFromError(err) {
    return { err };
  }
  componentDidCatch(err) {
    state.errors.push(String(err?.stack ?? err));
  }
  render() {
    return this.state.err ? <pre>{String(this.state.err)}</pre> : this.props.children;
  }
}

const rows = Math.max(1, ...list.map((p) => (p.gridPos.y ?? 0) + p.gridPos.h));
createRoot(document.getElementById('root')).render(
  <Guard>
    <MemoryRouter>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <h2 style={{ margin: '8px 16px 0' }}>{board.title}</h2>
        <div style={{ width: 1380, height: rows * 38 + 90, display: 'flex' }}>
          <scene.Component model={scene} />
        </div>
        <PortalContainer />
      </ThemeContext.Provider>
    </MemoryRouter>
  </Guard>,
);
