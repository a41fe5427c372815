// Reads queries, one a line, and prints for each what Kusto finds wrong with it, as JSON.
// Application Insights' table: https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete#dependency-telemetry
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;

const columns = '(timestamp:datetime, id:string, target:string, type:string, name:string, data:string, success:string, '
  + 'resultCode:string, duration:real, customDimensions:dynamic, operation_Id:string, operation_ParentId:string, '
  + 'cloud_RoleName:string, cloud_RoleInstance:string)';
const dependencies = Symbols.TableSymbol.From(columns).WithName('dependencies');
const tables = globalThis.System.Array.init([dependencies], Symbols.Symbol);
const known = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('insights', tables));

for (const query of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const found = KustoCode.ParseAndAnalyze(query, known).GetDiagnostics();
  console.log(JSON.stringify(Array.from({ length: found.Count }, (_, at) => found.getItem(at).Message)));
}
