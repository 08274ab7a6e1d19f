//! Random expressions: mostly of the wanted type, with errors of every kind among them.

use super::{
    dice::Dice,
    world::{Field, Ty, World, any_type},
};

/// An expression of a type, at most `depth` levels deep.
pub(super) fn expression(dice: &mut Dice, world: &World, ty: &Ty, depth: usize) -> String {
    if dice.once_in(40) {
        let other = any_type(dice, world.types.len(), 1);
        return expression(dice, world, &other, depth.saturating_sub(1));
    }
    if depth == 0 || dice.once_in(4) {
        return leaf(dice, world, ty);
    }
    let depth = depth - 1;
    if dice.once_in(12) {
        let test = expression(dice, world, &Ty::Bool, depth);
        let (yes, no) = (expression(dice, world, ty, depth), expression(dice, world, ty, depth));
        return format!("(if {test} then {yes} else {no})");
    }
    let method = dice.once_in(3);
    let mut of = |ty: &Ty| expression(dice, world, ty, depth);
    match ty {
        Ty::Bool => boolean(dice, world, depth),
        Ty::Long => {
            let (left, right) = (of(&Ty::Long), of(&Ty::Long));
            match dice.below(5) {
                0 => format!("({left} - {right})"),
                1 => format!("({left} * {right})"),
                2 => format!("-({left})"),
                3 => format!("({}).toMilliseconds()", expression(dice, world, &Ty::Duration, depth)),
                _ => format!("({left} + {right})"),
            }
        }
        Ty::Set(of) => {
            let elements: Vec<String> =
                (0..dice.below(4)).map(|_| expression(dice, world, of, depth)).collect();
            format!("[{}]", elements.join(", "))
        }
        Ty::Record(fields) => {
            let member =
                |field: &Field| format!("\"{}\": {}", field.name, expression(dice, world, &field.ty, depth));
            format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Ty::Datetime if method => format!("({}).offset({})", of(&Ty::Datetime), of(&Ty::Duration)),
        Ty::Duration if method => format!("({}).durationSince({})", of(&Ty::Datetime), of(&Ty::Datetime)),
        _ if method => format!("({}).getTag({})", of(&Ty::Entity(0)), of(&Ty::Text)),
        _ => leaf(dice, world, ty),
    }
}

fn boolean(dice: &mut Dice, world: &World, depth: usize) -> String {
    let choice = dice.below(20);
    let any = any_type(dice, world.types.len(), 1);
    let set = Ty::Set(Box::new(any.clone()));
    let field = dice.pick(&["a", "b", "c", "owner", "level", "\"odd name\"", "list", "a.b", "owner.level.a"]);
    let of_type = dice.one_of(&world.types).name;
    let named: Vec<String> = (0..dice.below(4)).map(|_| world.entity(dice)).collect();
    let mut of = |ty: &Ty| expression(dice, world, ty, depth);
    match choice {
        0..=2 => format!("({} && {})", of(&Ty::Bool), of(&Ty::Bool)),
        3 | 4 => format!("({} || {})", of(&Ty::Bool), of(&Ty::Bool)),
        5 => format!("!({})", of(&Ty::Bool)),
        6 => format!("({} == {})", of(&any), of(&any)),
        7 => format!("({} != {})", of(&any), of(&any)),
        8 => format!("({} < {})", of(&Ty::Long), of(&Ty::Long)),
        9 => format!("({} >= {})", of(&Ty::Long), of(&Ty::Long)),
        10 => format!("({} in {})", of(&Ty::Entity(0)), of(&Ty::Entity(0))),
        11 => format!("({} in {})", of(&Ty::Entity(0)), of(&Ty::Set(Box::new(Ty::Entity(0))))),
        12 => format!("({} in [{}])", of(&Ty::Entity(0)), named.join(", ")),
        13 => format!("({} is {of_type})", of(&Ty::Entity(0))),
        14 => format!("({}).contains({})", of(&set), of(&any)),
        15 => format!("({}).containsAll({})", of(&set), of(&set)),
        16 => format!("({}).containsAny({})", of(&set), of(&set)),
        17 => match dice.below(3) {
            0 => format!("({}).isEmpty()", expression(dice, world, &set, depth)),
            1 => format!("({} like \"a*\")", expression(dice, world, &Ty::Text, depth)),
            _ => extension(dice, world, depth),
        },
        18 => {
            let of = expression(dice, world, &Ty::Entity(0), depth);
            format!("({of}).hasTag({})", expression(dice, world, &Ty::Text, depth))
        }
        _ => {
            let base = dice.pick(&["principal", "resource", "context", "principal.owner", "resource.a"]);
            format!("({base} has {field})")
        }
    }
}

fn extension(dice: &mut Dice, world: &World, depth: usize) -> String {
    let choice = dice.below(5);
    let mut of = |ty: &Ty| format!("({})", expression(dice, world, ty, depth));
    match choice {
        0 => format!("{}.isInRange({})", of(&Ty::Ip), of(&Ty::Ip)),
        1 => format!("{}.isIpv4()", of(&Ty::Ip)),
        2 => format!("{}.lessThan({})", of(&Ty::Decimal), of(&Ty::Decimal)),
        3 => format!("({} < {})", of(&Ty::Datetime), of(&Ty::Datetime)),
        _ => format!("({} >= {})", of(&Ty::Duration), of(&Ty::Duration)),
    }
}

/// A literal, a variable, or something that an attribute holds.
fn leaf(dice: &mut Dice, world: &World, ty: &Ty) -> String {
    if !dice.once_in(3)
        && let Some(path) = path(dice, world, ty)
    {
        return path;
    }
    match ty {
        Ty::Bool => dice.pick(&["true", "false"]).to_owned(),
        Ty::Long => {
            dice.pick(&["0", "1", "2", "7", "-3", "4611686018427387904", "9223372036854775807"]).to_owned()
        }
        Ty::Text => dice.pick(&["\"\"", "\"a\"", "\"ab\"", "\"odd \\\" one\""]).to_owned(),
        Ty::Entity(_) => match dice.below(8) {
            0..=2 => "principal".to_owned(),
            3..=5 => "resource".to_owned(),
            6 => "action".to_owned(),
            _ => world.entity(dice),
        },
        Ty::Set(_) => "[]".to_owned(),
        Ty::Record(_) => "{}".to_owned(),
        Ty::Ip => format!("ip(\"{}\")", dice.pick(&["10.0.0.1", "10.0.0.0/8", "::1", "no"])),
        Ty::Decimal => format!("decimal(\"{}\")", dice.pick(&["1.5", "-0.1", "1"])),
        Ty::Datetime => {
            format!("datetime(\"{}\")", dice.pick(&["2024-01-01", "2031-05-06T07:08:09Z", "no"]))
        }
        Ty::Duration => format!("duration(\"{}\")", dice.pick(&["1h", "-2d", "0ms"])),
    }
}

/// Something that holds the type by the schema, for some type of principal and resource.
fn path(dice: &mut Dice, world: &World, ty: &Ty) -> Option<String> {
    let (base, fields) = match dice.below(4) {
        0 => ("context", &world.context),
        1 | 2 => {
            (dice.pick(&["principal", "principal", "principal.owner"]), &dice.one_of(&world.types).fields)
        }
        _ => (dice.pick(&["resource", "resource", "resource.owner"]), &dice.one_of(&world.types).fields),
    };
    let mut found = Vec::new();
    find(fields, ty, base, 0, &mut found);
    (!found.is_empty()).then(|| dice.one_of(&found).clone())
}

fn find(fields: &[Field], ty: &Ty, base: &str, depth: usize, found: &mut Vec<String>) {
    for field in fields {
        let path = match field.name {
            "odd name" => format!("{base}[\"odd name\"]"),
            name => format!("{base}.{name}"),
        };
        if field.ty.like(ty) {
            found.push(path.clone());
        }
        if let (Ty::Record(inner), true) = (&field.ty, depth < 2) {
            find(inner, ty, &path, depth + 1, found);
        }
    }
}
