export const cache = async (..._rest: unknown[]): Promise<void> => {
  throw new Error('not written yet');
};
