export { AuthModule } from './auth.module.js';
export { Caller } from './caller.js';
export { ConnectedCallers, type ConnectedCaller } from './connected-callers.js';
export {
  agentClientId,
  clientValues,
  DELETE_CLIENT,
  INSERT_CLIENT,
  newCredential,
  SET_CLIENT_SECRET,
  type Credential,
  type NewClient,
} from './credentials.js';
export { FirstAdmin } from './first-admin.service.js';
export { Named, type NamedProject, projectForRead, projectForWrite } from './project.js';
export { AGENT_SCOPES, allows, type Scope } from './scopes.js';
export { Scopes } from './scopes.decorator.js';
export { Tokens } from './tokens.service.js';
