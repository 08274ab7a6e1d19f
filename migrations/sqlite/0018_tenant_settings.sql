-- What a tenant has booked, and from where its data may be reached (R96, R98). Lists are separated by spaces.
ALTER TABLE tenants ADD COLUMN plan TEXT NOT NULL DEFAULT 'free';
ALTER TABLE tenants ADD COLUMN open_registration INTEGER NOT NULL DEFAULT 0 CHECK (open_registration IN (0, 1));
ALTER TABLE tenants ADD COLUMN allowed_origins TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN ip_allowlist TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN socket_urls TEXT NOT NULL DEFAULT '';
