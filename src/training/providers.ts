import { UnderstudyError } from '../errors.js';
import { createReferenceProvider } from './reference-provider.js';
import type { TrainingProviders } from './training-provider.js';

/** The providers this program knows. `secrets` reads the variable that a policy refers to as `${NAME}`. */
export function createTrainingProviders(secrets: (reference: string | null) => string | undefined): TrainingProviders {
  return ({ provider, baseUrl, apiKey }) => {
    if (provider !== 'reference')
      throw new UnderstudyError('invalid_policy', { detail: `trainer.provider "${provider}" is not known` });
    return createReferenceProvider(baseUrl, secrets(apiKey));
  };
}
