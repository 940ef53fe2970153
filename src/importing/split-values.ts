import { StringDecoder } from 'node:string_decoder';

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COMMA] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c];

/**
 * The texts of the values of a JSON document as they come: of the elements, when it is one array, else of the values that
 * follow one another (JSON over several lines). Memory holds one value. Text that ends inside a value is the last one.
 */
export async function* splitValues(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[], void> {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let depth = 0;
  let inText = false;
  let escaped = false;
  let inValue = false;
  let inList = false;
  let any = false;
  for await (const chunk of chunks) {
    const text = decoder.write(chunk);
    const values: string[] = [];
    let from = 0;
    const end = (at: number) => {
      pieces.push(text.slice(from, at));
      values.push(pieces.join(''));
      pieces = [];
      inValue = false;
    };
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (inText) {
        if (escaped) escaped = false;
        else if (code === BACKSLASH) escaped = true;
        else if (code === QUOTE) inText = false;
        continue;
      }
      const separates =
        depth === 0 && (code <= 0x20 || code === 0xfeff || code === COMMA || (inList && code === CLOSE_LIST));
      if (separates) {
        if (inValue) end(at);
        continue;
      }
      if (!any && code === OPEN_LIST) {
        any = inList = true;
        continue;
      }
      if (!inValue) {
        any = inValue = true;
        from = at;
      }
      if (code === QUOTE) inText = true;
      else if (code === OPEN || code === OPEN_LIST) depth += 1;
      else if (code === CLOSE || code === CLOSE_LIST) {
        depth = Math.max(0, depth - 1);
        if (depth === 0) end(at + 1);
      }
    }
    if (inValue) pieces.push(text.slice(from));
    if (values.length > 0) yield values;
  }
  if (inValue) yield [pieces.join('')];
}
