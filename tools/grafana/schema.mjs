// Checks dashboards, whose files are its arguments, against Grafana's published types; prints what does not fit.
import ts from 'typescript';
import { readFileSync } from 'node:fs';

const name = 'boards.ts';
// The schema has no place for what an annotation asks its data source; `expr` is Prometheus'.
const board = `import type { AnnotationQuery, Dashboard } from '@grafana/schema';
type Board = Omit<Dashboard, 'annotations'> & { annotations?: { list?: (AnnotationQuery & { expr?: string })[] } };`;
const boards = process.argv.slice(2).map((file, at) => `const board${at}: Board = ${readFileSync(file, 'utf8')};`);
const source = [board, ...boards].join('\n');
// In JSON a member of an enumeration is its text, so the schema's enumerations are read as the texts that they allow.
const enumeration = /declare enum (\w+) \{([^}]*=\s*"[^}]*)\}/g;
const texts = (_, name, members) => {
  const allowed = [...members.matchAll(/=\s*("[^"]*")/g)].map((member) => member[1]);
  return `declare type ${name} = ${allowed.join(' | ')};`;
};
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022,
};
const here = new URL('.', import.meta.url).pathname;
const host = ts.createCompilerHost(options);
const onDisk = host.getSourceFile.bind(host);
host.getSourceFile = (file, ...rest) => {
  if (file === here + name) return ts.createSourceFile(file, source, options.target);
  if (!file.includes('@grafana/schema')) return onDisk(file, ...rest);
  return ts.createSourceFile(file, ts.sys.readFile(file).replace(enumeration, texts), options.target);
};
const program = ts.createProgram([here + name], options, host);
const wrong = ts.getPreEmitDiagnostics(program);
for (const each of wrong) {
  const line = each.file ? each.file.text.slice(each.start, each.start + 120).split('\n')[0] : '';
  console.log(`${ts.flattenDiagnosticMessageText(each.messageText, '\n')}\n    ${line}`);
}
process.exit(wrong.length ? 1 : 0);
