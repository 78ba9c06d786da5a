// TypeScript types of a checked schema.

/** The first words of every file that is made. */
export const MADE_BY = '// Made by `npx tickwire types`';

const VECTORS = { vec2: 'Vec2', vec3: 'Vec3', quat: 'Quat' };
/** Up to so many variants an index is written as a union. */
const UNION_MAX = 16;
const RESERVED = /^(?:Game|Vec2|Vec3|Quat|any|boolean|number|object|string|symbol|undefined|unknown|never|void|null)$/;

/** The module of a schema, as text. `name` is what its interface is called. */
export function typesOf(schema, name = nameOf(schema.game)) {
  if (!/^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(name) || RESERVED.test(name)) {
    throw new Error(`"${name}" cannot be the name of an interface; give another with --name`);
  }
  const types = new Set([schema.input, ...schema.entities, ...schema.events].flatMap(({ fields }) => fields.map(({ type }) => VECTORS[type])));
  const imports = ['Game', ...['Quat', 'Vec2', 'Vec3'].filter((type) => types.has(type))];
  return [
    `${MADE_BY} of the schema that the server tells. To change it, run that again.`,
    `import type { ${imports.join(', ')} } from 'tickwire';`,
    '',
    `/** The game ${JSON.stringify(schema.game).replaceAll('*/', '*\\/')}, ${schema.tickHz} ticks a second. */`,
    `export interface ${name} extends Game {`,
    '  /** What a player holds down. */',
    ...kind('  ', 'input', schema.input),
    '  /** What is seen. */',
    ...kinds('entities', schema.entities),
    '  /** What happens once. */',
    ...kinds('events', schema.events),
    '}',
    '',
  ].join('\n');
}

/** `space-race 2` as `SpaceRace2`. */
function nameOf(game) {
  const words = game.split(/[^\p{ID_Continue}]+|_+/u).filter((word) => word !== '');
  const joined = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
  return /^\p{ID_Start}/u.test(joined) ? joined : `Game${joined}`;
}

function kinds(name, list) {
  if (list.length === 0) return [`  ${name}: {};`];
  return [`  ${name}: {`, ...list.flatMap((each) => kind('    ', each.name, each)), '  };'];
}

function kind(indent, name, { fields }) {
  if (fields.length === 0) return [`${indent}${name}: {};`];
  const lines = fields.flatMap((field) => {
    const words = doc(field);
    return [...(words ? [`${indent}  /** ${words} */`] : []), `${indent}  ${field.name}: ${typeOf(field)};`];
  });
  return [`${indent}${name}: {`, ...lines, `${indent}};`];
}

function typeOf({ type, max }) {
  if (type === 'bool') return 'boolean';
  if (type !== 'choice') return VECTORS[type] ?? 'number';
  return max < UNION_MAX ? Array.from({ length: max + 1 }, (_, variant) => variant).join(' | ') : 'number';
}

/** What the values of a field are, as far as its type does not say. */
function doc({ type, min, max, step, ownerOnly, velocity }) {
  const what = {
    bool: '',
    int: `Whole, ${min} to ${max}.`,
    float: `${min} to ${max} in steps of ${step}.`,
    angle: `Radians, -π to π in steps of ${Number(step.toPrecision(3))}.`,
    vec2: `Each ${min} to ${max} in steps of ${step}.`,
    vec3: `Each ${min} to ${max} in steps of ${step}.`,
    quat: 'A rotation.',
    choice: `The index of one of ${max + 1} variants.`,
  }[type];
  const moved = velocity === undefined ? '' : `Changes by \`${velocity}\` a second.`;
  return [what, moved, ownerOnly ? 'Told to its owner only.' : ''].filter((words) => words !== '').join(' ');
}
