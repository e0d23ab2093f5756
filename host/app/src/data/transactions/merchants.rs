//! Who is paid. The names are made up.

/// Somebody who is paid.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Merchant {
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) country: &'static str,
}

/// Where users and merchants are.
pub(super) const COUNTRIES: [&str; 8] = ["CA", "DE", "ES", "FR", "GB", "NL", "PL", "US"];

/// Whether goods of this category are as good as money.
pub(super) fn sells_what_is_resold(category: &str) -> bool {
    matches!(category, "electronics" | "gift_cards" | "jewellery")
}

const fn merchant(name: &'static str, category: &'static str, country: &'static str) -> Merchant {
    Merchant {
        name,
        category,
        country,
    }
}

/// Where one pays with a card any day.
pub(super) const EVERYDAY: [Merchant; 20] = [
    merchant("Alderney Grocers", "groceries", "GB"),
    merchant("Boutique des Cartes", "gift_cards", "FR"),
    merchant("Brasserie Lumière", "restaurants", "FR"),
    merchant("Cardinal Gift Cards", "gift_cards", "US"),
    merchant("Casa Olivar", "restaurants", "ES"),
    merchant("Cyclone Electronics", "electronics", "US"),
    merchant("Delft Digital", "electronics", "NL"),
    merchant("Eastgate Pharmacy", "pharmacy", "GB"),
    merchant("Fjellhus Outdoor", "clothing", "DE"),
    merchant("Grand Prairie Fuel", "fuel", "CA"),
    merchant("Harbour Jewellers", "jewellery", "GB"),
    merchant("Krakow Kantor Gold", "jewellery", "PL"),
    merchant("Lakeside Airlines", "travel", "CA"),
    merchant("Marktplatz Bücher", "books", "DE"),
    merchant("Nordlicht Elektronik", "electronics", "DE"),
    merchant("Pier 9 Hotels", "travel", "US"),
    merchant("Polder Furniture", "furniture", "NL"),
    merchant("Sierra Rail", "travel", "ES"),
    merchant("Tanglewood Tools", "household", "US"),
    merchant("Wisla Market", "groceries", "PL"),
];

/// Where one pays more than ten thousand at once.
pub(super) const HIGH_VALUE: [Merchant; 16] = [
    merchant("Aalsmeer Machinery", "machinery", "NL"),
    merchant("Atelier Vauquelin", "jewellery", "FR"),
    merchant("Bluebell Boatyard", "boats", "GB"),
    merchant("Castellan Car Sales", "vehicles", "US"),
    merchant("Clinica del Prado", "medical", "ES"),
    merchant("Corporate Gift Cards Direct", "gift_cards", "US"),
    merchant("Delft Digital Wholesale", "electronics", "NL"),
    merchant("Fraser River Timber", "building_materials", "CA"),
    merchant("Galerie Am Ufer", "art", "DE"),
    merchant("Harbour Jewellers", "jewellery", "GB"),
    merchant("Hexham College", "education", "GB"),
    merchant("Lodz Solar Works", "building_materials", "PL"),
    merchant("Nordlicht Elektronik", "electronics", "DE"),
    merchant("Rockport Charter Flights", "travel", "US"),
    merchant("Saint-Malo Voyages", "travel", "FR"),
    merchant("Vancouver Server Supply", "electronics", "CA"),
];
