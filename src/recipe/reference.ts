import { z } from 'zod';
import { recipeSchema } from './schema.ts';

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/** JSON Schema (draft 2020-12) of a recipe as people write it, for editors. */
export function recipeJsonSchema(): object {
  const schema = z.toJSONSchema(recipeSchema, {
    io: 'input',
    // Addresses may hold placeholders in braces (RFC 6570), which no URI has.
    override: ({ jsonSchema }) => {
      if (jsonSchema.format === 'uri') jsonSchema.format = 'uri-template';
    },
  });
  return {
    ...schema,
    $id: 'https://sextant.invalid/sextant.schema.json',
    title: 'Sextant recipe',
    description: 'What goes into a Kubernetes extension for Kairos nodes, and where it is served from.',
  };
}

/** Every key of a recipe as a Markdown table: path, type, default, meaning. */
export function recipeReference(): string {
  const rows: string[][] = [];
  describe(recipeJsonSchema() as JsonSchema, '', rows);
  return [
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows.map(
      (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`,
    ),
  ].join('\n');
}

function describe(schema: JsonSchema, path: string, rows: string[][]): void {
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) {
    for (const alternative of alternatives) {
      const type = alternative.properties?.type?.const;
      describe(alternative, type === undefined ? path : `${path}(${String(type)})`, rows);
    }
    return;
  }
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    if (value.const !== undefined) continue;
    const at = path === '' ? key : `${path}.${key}`;
    const required = schema.required?.includes(key) === true;
    const simple = value.properties === undefined && !(value.type === 'array' && value.items?.properties);
    if (simple || value.description !== undefined) {
      rows.push([
        `\`${at}\``,
        kind(value),
        required
          ? '(needed)'
          : value.default === undefined || !simple
            ? ''
            : `\`${JSON.stringify(value.default)}\``,
        value.description ?? '',
      ]);
    }
    if (value.type === 'array' && value.items) describe(value.items, `${at}[]`, rows);
    else describe(value, at, rows);
  }
}

function kind(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map(String).join(', ');
  if (schema.type === 'array') return `list of ${schema.items ? kind(schema.items) : 'anything'}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
    return `map to ${kind(schema.additionalProperties)}`;
  }
  return schema.type === 'object' ? 'map' : (schema.type ?? 'one of several');
}
