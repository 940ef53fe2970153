import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a text, without their line feed, in groups as they come. Splits at line feeds only: readline also splits at
 * U+2028 and U+2029, which JSON allows inside a string.
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[], void> {
  const decoder = new StringDecoder('utf8');
  // Pieces of one line are joined once, else a line of many megabytes costs the square of its length.
  let pieces: string[] = [];
  for await (const chunk of chunks) {
    const parts = decoder.write(chunk).split('\n');
    const last = parts.pop() ?? '';
    if (parts.length > 0) {
      pieces.push(parts[0]!);
      parts[0] = pieces.join('');
      pieces = [];
      yield parts;
    }
    pieces.push(last);
  }
  const last = pieces.join('') + decoder.end();
  if (last !== '') yield [last];
}
