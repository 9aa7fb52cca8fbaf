"""Statements that write one more row of each scoped noun of the seeded district, in a place that is marked `X` or numbered with nines."""

BUILDING = (
    "INSERT INTO reg.building (house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental)"
    " VALUES (repeat('9', 19), 'X', 'X', public.ST_SetSRID(public.ST_MakePoint(113.8605, 22.701), 4490), 113.8, 22.7, 1, 'other', false)"
)
UNIT = (
    "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)"
    " SELECT id, grid_id, subdistrict_id, repeat('9', 25), 1, 'X', 10, 'shop' FROM reg.building WHERE house_code = repeat('9', 19)"
)
LEASE = (
    "INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, parent_id, rent_fen, rent_given, rent_unit,"
    " area_basis_m2, valid_from,"
    " valid_to, state, new_let) SELECT 'X', unit_id, grid_id, subdistrict_id, {parent}, 1, 1, 'month', 1, '2029-01-01',"
    " '{until}', 'signed', true"
    " FROM reg.lease h WHERE number = 'L-1'"
)
RESIDENCE = (
    "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from, valid_to)"
    " SELECT p.id, u.id, u.grid_id, u.subdistrict_id, false, '1990-01-01', '1991-01-01' FROM reg.person p, reg.unit u"
    " WHERE p.name = 'Somebody 1' AND u.code = repeat('9', 25)"
)
COPIES = {
    "building": BUILDING,
    "unit": f"{BUILDING}; {UNIT}",
    "person": "INSERT INTO reg.person (grid_id, subdistrict_id, name, registration)"
    " SELECT grid_id, subdistrict_id, 'X', 'floating' FROM reg.person WHERE name = 'Somebody 50'",
    "residence": f"{BUILDING}; {UNIT}; {RESIDENCE}",
    "lease": LEASE.format(parent="NULL", until="2031-01-01").replace("2029-01-01", "2030-01-01"),
    "manager": "INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from, valid_to)"
    " SELECT person_id, building_id, grid_id, subdistrict_id, 'hired', '1990-01-01', '1991-01-01' FROM reg.manager LIMIT 1",
    "inspection": "INSERT INTO reg.inspection (building_id, grid_id, subdistrict_id, kind, outcome, visited_at)"
    " SELECT building_id, grid_id, subdistrict_id, 'safety', 'hazard', visited_at FROM reg.inspection LIMIT 1",
    "duty_report": "INSERT INTO reg.duty_report (manager_id, grid_id, subdistrict_id, kind, happened_on)"
    " SELECT manager_id, grid_id, subdistrict_id, 'hazard', happened_on FROM reg.duty_report LIMIT 1",
}
