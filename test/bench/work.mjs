/** A task as a user would post it, 0.5 kB with the name of its type. */
export const TASK = {
  priority: 'normal',
  timeout: 300,
  retry_policy: { max_attempts: 3, backoff_strategy: 'exponential' },
  input_data: {
    repository: 'https://git.example.com/acme/shop.git',
    branch: 'feature/checkout',
    customizations: {
      entities: ['User', 'Product', 'Order'],
      authentication: 'jwt',
      database: 'postgresql',
    },
    instructions:
      'Generate the API routes of the checkout, with tests, in the style of the routes that are there.',
  },
};
