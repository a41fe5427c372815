// Reads queries, one a line, and prints for each the places that Grafana's grammar does not know, as JSON.
// The argument is their language: logql or traceql.
import { readFileSync } from 'node:fs';

const { parser } = await import(`@grafana/lezer-${process.argv[2]}`);

for (const query of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const unknown = [];
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) unknown.push(query.slice(Math.max(0, node.from - 20), node.to + 20));
    },
  });
  console.log(JSON.stringify(unknown));
}
