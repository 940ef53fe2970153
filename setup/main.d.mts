export function main(argv: readonly string[]): Promise<number>;
export function diskRefusal(pending: readonly { large?: boolean }[], free: number): string | undefined;
