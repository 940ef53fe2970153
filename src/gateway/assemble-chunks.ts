type Fields = Record<string, unknown>;

/** Members that are said once (or again): not pieces of a text. */
const WHOLE = new Set(['role', 'id', 'type', 'name', 'finish_reason', 'stop_reason']);

export interface ChunkAssembler {
  /** Takes one chunk of a streamed chat completion, parsed. */
  add(chunk: Fields): void;
  /** Whether there are choices and all of them have their finish reason. */
  finished(): boolean;
  /** The chat completion so far, as it would have been answered in one piece; null before the first choice. */
  completion(): Fields | null;
}

/** Puts the chunks of a streamed chat completion together to an ordinary one: choices and tool calls by their index. */
export function assembleChunks(): ChunkAssembler {
  const top: Fields = {};
  const choices = new Map<number, Fields>();
  return {
    add(chunk) {
      for (const [name, value] of Object.entries(chunk)) {
        if (name === 'choices' || name === '__proto__') continue;
        // The last chunk has the usage; the others say null, or how much it is so far.
        if (!(name in top) || (value !== null && name === 'usage')) top[name] = value;
      }
      if (!Array.isArray(chunk.choices)) return;
      for (const piece of chunk.choices.filter(isFields)) {
        const index = typeof piece.index === 'number' ? piece.index : 0;
        const choice = choices.get(index) ?? { index, message: {} };
        choices.set(index, choice);
        const { delta, index: _index, ...rest } = piece;
        if (isFields(delta)) merge(choice.message as Fields, delta);
        merge(choice, rest);
      }
    },
    finished: () =>
      choices.size > 0 &&
      [...choices.values()].every(({ finish_reason: reason }) => reason !== undefined && reason !== null),
    completion() {
      if (choices.size === 0) return null;
      const sorted = [...choices.values()].sort((a, b) => (a.index as number) - (b.index as number));
      const { usage, ...rest } = top;
      return {
        ...rest,
        object: 'chat.completion',
        choices: sorted.map((choice) => ({ ...choice, message: withoutIndexes(choice.message as Fields) })),
        ...(isFields(usage) ? { usage } : {}),
      };
    },
  };
}

/** Texts and lists grow, objects are merged, anything else is replaced; null never takes away what was there. */
function merge(target: Fields, delta: Fields): void {
  for (const [name, value] of Object.entries(delta)) {
    // Assigning to it would change what the object is.
    if (name === '__proto__') continue;
    const before = target[name];
    if (value === null || value === undefined) target[name] = before ?? null;
    else if (typeof value === 'string' && typeof before === 'string') {
      target[name] = WHOLE.has(name) ? value || before : before + value;
    } else if (name === 'tool_calls' && Array.isArray(value)) target[name] = mergeToolCalls(before, value);
    else if (Array.isArray(value)) target[name] = Array.isArray(before) ? [...before, ...value] : value;
    else if (isFields(value)) {
      const merged = isFields(before) ? before : {};
      merge(merged, value);
      target[name] = merged;
    } else target[name] = value;
  }
}

function mergeToolCalls(before: unknown, pieces: unknown[]): Fields[] {
  const calls = Array.isArray(before) ? (before as Fields[]) : [];
  for (const piece of pieces.filter(isFields)) {
    const known = typeof piece.index === 'number' ? calls.find(({ index }) => index === piece.index) : undefined;
    const call = known ?? {};
    merge(call, piece);
    if (known === undefined) calls.push(call);
  }
  return calls;
}

/** Tool calls of an ordinary completion are a list in order, without indexes. */
function withoutIndexes(message: Fields): Fields {
  if (!Array.isArray(message.tool_calls)) return message;
  const calls = [...(message.tool_calls as Fields[])].sort((a, b) => Number(a.index ?? 0) - Number(b.index ?? 0));
  return { ...message, tool_calls: calls.map(({ index: _index, ...call }) => call) };
}

/** A JSON object. */
export function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
