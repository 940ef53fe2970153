/** Lines that stay, and on a terminal one below them that says what is being done now. */
export interface Screen {
  say(line: string): void;
  show(line: string): void;
}

export function createScreen(stream: { write(text: string): unknown; isTTY?: boolean; columns?: number }): Screen {
  let shown = false;
  const clear = () => {
    if (shown) stream.write('\r\u001b[2K');
    shown = false;
  };
  return {
    say(line) {
      clear();
      stream.write(`${line}\n`);
    },
    show(line) {
      if (!stream.isTTY) return;
      clear();
      stream.write(line.slice(0, (stream.columns ?? 80) - 1));
      shown = true;
    },
  };
}
