-- What a tenant has booked, and from where its data may be reached (R96, R98). Lists are separated by spaces.
ALTER TABLE tenants ADD COLUMN plan TEXT COLLATE "C" NOT NULL DEFAULT 'free';
ALTER TABLE tenants ADD COLUMN open_registration BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tenants ADD COLUMN allowed_origins TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN ip_allowlist TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN socket_urls TEXT COLLATE "C" NOT NULL DEFAULT '';
