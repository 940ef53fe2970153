/**
 * Works on the elements of a stream, `width` of them at once, and tells of their results in the order of the stream. No
 * more is read than can be worked on. When one fails, those under way are waited for, then it throws.
 */
export async function runInOrder<T, R>(
  stream: AsyncIterable<T>,
  width: number,
  work: (element: T) => Promise<R>,
  done: (element: T, result: R) => Promise<void>,
): Promise<void> {
  const underWay: { element: T; result: Promise<R> }[] = [];
  const finishFirst = async () => {
    const { element, result } = underWay[0]!;
    const value = await result;
    underWay.shift();
    await done(element, value);
  };
  try {
    for await (const element of stream) {
      const result = work(element);
      // Whoever fails is found when it is its turn, and must not end the program before.
      result.catch(() => undefined);
      underWay.push({ element, result });
      if (underWay.length >= width) await finishFirst();
    }
    while (underWay.length > 0) await finishFirst();
  } catch (error) {
    await Promise.allSettled(underWay.map(({ result }) => result));
    throw error;
  }
}
