/**
 * The result of `steps`, whose yields are passed on as `show` makes them. Whoever stops early ends `steps` too, before they hear that
 * it has ended.
 */
export async function* mapYields<Y, Shown, R>(
  steps: AsyncGenerator<Y, R, void>,
  show: (step: Y) => Shown,
): AsyncGenerator<Shown, R, void> {
  let isDone = false;
  try {
    for (;;) {
      const step = await steps.next();
      isDone = step.done === true;
      if (step.done === true) return step.value;
      yield show(step.value);
    }
  } finally {
    // A generator that is ended early gives no result, whatever its type says.
    if (!isDone) await steps.return(undefined as R);
  }
}
