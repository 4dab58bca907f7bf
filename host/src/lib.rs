//! A chassis that runs a tenant's ops and keeps the tenant's secrets.
